import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProgram } from './apt.js';
import { cudaRequirements, wheelOptions } from './libtensorflow.js';

describe('cudaRequirements', () => {
  it('are those of the extra and-cuda alone, in a form that pip takes as one argument', () => {
    const metadata = [
      'Requires-Dist: numpy>=1.26.0',
      'Provides-Extra: and-cuda',
      'Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
      "Requires-Dist: nvidia-nccl-cu12 (==2.21.5) ; extra == 'and-cuda'",
      'Requires-Dist: some-filesystem>=0.23.1; (sys_platform != "win32") and extra == "gcs-filesystem"',
    ].join('\n');
    expect(cudaRequirements(metadata)).toEqual(['nvidia-cublas-cu12<13.0,>=12.5.3.2', 'nvidia-nccl-cu12==2.21.5']);
  });
});

describe('wheelOptions', () => {
  it('name this machine and not the Python that runs pip', () => {
    expect(wheelOptions('x64')).toContain('--platform=manylinux_2_27_x86_64');
    expect(wheelOptions('arm64')).toContain('--platform=manylinux_2_17_aarch64');
    expect(wheelOptions('x64')).toContain('--python-version=3.12');
  });

  it('say where there is no TensorFlow', () => {
    expect(() => wheelOptions('riscv64')).toThrow('no TensorFlow for riscv64');
  });
});

describe.skipIf(findProgram('python3') === undefined)('unpack_wheel.py', () => {
  const script = fileURLToPath(new URL('unpack_wheel.py', import.meta.url));
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-wheel-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A wheel with the given files; names ending in `!` are programs. */
  function wheel(files) {
    const path = join(folder, 'some.whl');
    const program = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    for name, text in json.loads(sys.argv[2]).items():
        info = zipfile.ZipInfo(name.rstrip('!'))
        info.external_attr = (0o100755 if name.endswith('!') else 0o100644) << 16
        archive.writestr(info, text)`;
    execFileSync('python3', ['-c', program, path, JSON.stringify(files)]);
    return path;
  }

  it('takes out what matches, and leaves programs executable', () => {
    const path = wheel({ 'a/lib/x.so.2': 'library', 'a/include/y.h': 'header', 'a/bin/tool!': 'program', 'a/z.py': 'no' });
    execFileSync('python3', [script, path, join(folder, 'out'), 'a/lib/*.so*', '*.h', 'a/bin/*']);
    expect(readFileSync(join(folder, 'out/a/lib/x.so.2'), 'utf8')).toBe('library');
    expect(readFileSync(join(folder, 'out/a/include/y.h'), 'utf8')).toBe('header');
    expect(statSync(join(folder, 'out/a/bin/tool')).mode & 0o111).toBe(0o111);
    expect(statSync(join(folder, 'out/a/lib/x.so.2')).mode & 0o111).toBe(0);
    expect(existsSync(join(folder, 'out/a/z.py'))).toBe(false);
  });

  it('refuses a file that would land elsewhere', () => {
    const path = wheel({ '../escaped': 'text' });
    expect(() => execFileSync('python3', [script, path, join(folder, 'out'), '*'], { stdio: 'pipe' })).toThrow(/outside itself/);
    expect(existsSync(join(folder, 'escaped'))).toBe(false);
  });
});
