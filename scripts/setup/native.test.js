import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { headers } from './native.js';

let root;
let bin;
let native;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-native-'));
  bin = join(root, 'bin');
  native = join(root, 'src', 'compute', 'native');
  mkdirSync(bin);
  mkdirSync(join(native, 'addon'), { recursive: true });
  writeFileSync(join(native, 'binding.gyp'), '{}');
  writeFileSync(join(native, 'addon', 'addon.cc'), '// version 1');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function program(name, script) {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** A node-gyp that notes that it ran and builds, or fails. */
function gyp(works) {
  const build = `require('fs').mkdirSync('build/Release', { recursive: true });
    require('fs').writeFileSync('build/Release/millrace_native.node', '');`;
  const fail = `console.error('error: it does not compile'); process.exit(1);`;
  writeFileSync(join(root, 'gyp.js'), `require('fs').appendFileSync(process.env.LOG, 'gyp\\n'); ${works ? build : fail}`);
}

/** Runs the setup with only the fake programs and libraries, as the user given. */
function setUp({ uid = 1000, again = false } = {}) {
  const code = `
    process.getuid = () => ${uid};
    const { ensureNative } = await import(${JSON.stringify(new URL('./native.js', import.meta.url).href)});
    const options = { again: ${again}, libraries: [${JSON.stringify(bin)}] };
    console.log(await ensureNative(${JSON.stringify(root)}, options));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { PATH: bin, LOG: join(root, 'log'), npm_config_node_gyp: join(root, 'gyp.js') },
    encoding: 'utf8',
  });
  const log = existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').trim().split('\n') : [];
  return { built: stdout.trim(), stderr, log };
}

function everything() {
  for (const name of ['g++', 'make', 'python3', 'libopenblas.so']) program(name, '');
}

describe('headers', () => {
  it('are those of this Node.js', () => {
    mkdirSync(join(root, 'include', 'node'), { recursive: true });
    writeFileSync(join(root, 'include', 'node', 'node_api.h'), '');
    expect(headers(root, root)).toEqual([`--nodedir=${root}`]);
  });

  it('are the packaged ones of Node-API where this Node.js comes without', () => {
    mkdirSync(join(root, 'node_modules'));
    const packaged = fileURLToPath(new URL('../../node_modules/node-api-headers', import.meta.url));
    symlinkSync(packaged, join(root, 'node_modules', 'node-api-headers'));
    const [argument] = headers(root, root);
    const include = join(argument.replace('--nodedir=', ''), 'include', 'node');
    for (const name of ['node_api.h', 'js_native_api.h', 'common.gypi']) expect(existsSync(join(include, name))).toBe(true);
  });
});

describe('ensureNative', () => {
  it('builds once, and again when a source changes', () => {
    everything();
    gyp(true);
    expect(setUp()).toMatchObject({
      built: 'true',
      stderr: expect.stringMatching(/^Building the compute kernels .*\nBuilt the compute kernels in \d+ s\.\n$/),
    });
    expect(setUp()).toEqual({ built: 'true', stderr: '', log: ['gyp'] });
    writeFileSync(join(native, 'addon', 'addon.cc'), '// version 2');
    expect(setUp().log).toEqual(['gyp', 'gyp']);
  });

  it('says in one line what is missing and how to get it where it may not install', () => {
    program('make', '');
    gyp(true);
    const { built, stderr, log } = setUp();
    expect(built).toBe('false');
    expect(stderr).toMatch(
      /^Training runs on WebAssembly, .*: missing g\+\+, python3, libopenblas-dev\. To build them: sudo .*apt-get install -y g\+\+ python3 libopenblas-dev.*\n$/,
    );
    expect(log).toEqual([]);
  });

  it('installs what is missing as root', () => {
    program('make', '');
    program('python3', '');
    const fakes = ['g++', 'libopenblas.so'].map((name) => `printf '#!/bin/sh\\n' > ${bin}/${name}; /bin/chmod +x ${bin}/${name}`);
    program('apt-get', `echo "$@" >> "$LOG"\n${fakes.join('\n')}`);
    gyp(true);
    const { built, stderr, log } = setUp({ uid: 0 });
    expect(built).toBe('true');
    expect(stderr).toMatch(/^Installing g\+\+, libopenblas-dev \(once\).*\nBuilding .*\nBuilt the compute kernels/);
    expect(log).toEqual([expect.stringMatching(/install -y --no-install-recommends g\+\+ libopenblas-dev$/), 'gyp']);
  });

  it('goes on without them when the build fails', () => {
    everything();
    gyp(false);
    const failed = setUp();
    expect(failed.built).toBe('false');
    const file = join(native, 'build', 'failure.log');
    expect(failed.stderr).toMatch(/^Building .*\nTraining runs on WebAssembly, .*: building them failed, see .*failure\.log/);
    expect(readFileSync(file, 'utf8')).toContain('it does not compile');
    expect(setUp().stderr).toMatch(/has failed before/);
    expect(setUp().log).toEqual(['gyp']);
    gyp(true);
    expect(setUp({ again: true })).toMatchObject({ built: 'true', log: ['gyp', 'gyp'] });
  });
});
