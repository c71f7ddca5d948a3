import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProgram } from './apt.js';

const source = fileURLToPath(new URL('../../src/store/confinement/confine.c', import.meta.url));
const compiler = findProgram('cc');
let root;
let folder;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-confinement-'));
  folder = join(root, 'src', 'store', 'confinement');
  mkdirSync(folder, { recursive: true });
  mkdirSync(join(root, 'bin'));
  copyFileSync(source, join(folder, 'confine.c'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs the setup; without a compiler the search path is an empty folder. */
function setUp({ withCompiler = true } = {}) {
  const code = `
    const { ensureConfinement } = await import(${JSON.stringify(new URL('./confinement.js', import.meta.url).href)});
    console.log(await ensureConfinement(${JSON.stringify(root)}));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { PATH: withCompiler ? process.env.PATH : join(root, 'bin') },
    encoding: 'utf8',
  });
  return { built: stdout.trim(), stderr };
}

describe.skipIf(process.platform !== 'linux')('ensureConfinement', () => {
  it.skipIf(compiler === undefined)('builds once, and again when the source changes', () => {
    const program = join(folder, 'build', 'confine');
    expect(setUp()).toEqual({ built: 'true', stderr: '' });
    expect(spawnSync(program, ['--abi'], { encoding: 'utf8' }).stdout).toMatch(/^\d+\n$/);
    const { mtimeMs } = statSync(program);
    expect(setUp({ withCompiler: false })).toEqual({ built: 'true', stderr: '' });
    expect(statSync(program).mtimeMs).toBe(mtimeMs);
    writeFileSync(join(folder, 'confine.c'), `${readFileSync(source, 'utf8')}\n`);
    expect(setUp().built).toBe('true');
    expect(statSync(program).mtimeMs).toBeGreaterThan(mtimeMs);
  });

  it.skipIf(compiler === undefined)('compiles without a warning, and without headers of Landlock', () => {
    const strict = spawnSync(compiler, ['-O2', '-Wall', '-Wextra', '-Werror', '-o', join(root, 'confine'), source], {
      encoding: 'utf8',
    });
    expect(strict.stderr).toBe('');
    expect(readFileSync(source, 'utf8')).not.toContain('linux/landlock.h');
  });

  it('says nothing without a compiler, and why where the compiler fails', () => {
    expect(setUp({ withCompiler: false })).toEqual({ built: 'false', stderr: '' });
    symlinkSync('/bin/false', join(root, 'bin', 'cc'));
    const { built, stderr } = setUp({ withCompiler: false });
    expect([built, stderr]).toEqual([
      'false',
      expect.stringMatching(/will not be confined to its own files: building .*confine\.c failed/),
    ]);
    expect(existsSync(join(folder, 'build', 'confine'))).toBe(false);
  });
});
