import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'flow-compile-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** Imports a module as a build in the folder `code` of the package `own` does: in plain Node.js, where the hooks compile. */
function load(file: string, own = '/nowhere', code = join(own, 'dist')): { value?: unknown; error?: string } {
  const millrace = write('millrace.mjs', "export const name = 'millrace';");
  const folders = { own: `${pathToFileURL(own).href}/`, code: `${pathToFileURL(code).href}/` };
  const data = { entries: { millrace: pathToFileURL(millrace).href }, ...folders, ending: '.js', compile: true };
  const script = write(
    'script.mjs',
    `import { addHooks } from ${JSON.stringify(new URL('./add-hooks.mjs', import.meta.url).href)};
     addHooks(${JSON.stringify(data)});
     const show = (value) => console.log(JSON.stringify(value));
     await import(${JSON.stringify(pathToFileURL(file).href)}).then(
       async (loaded) => show({ value: await loaded.default }), (error) => show({ error: String(error) }));`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, ['--throw-deprecation', '--no-warnings', script], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'] },
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as { value?: unknown; error?: string };
}

describe('TypeScript of a flow in plain Node.js', () => {
  it('is compiled, with enums, and finds its files as under tsx', () => {
    write('parts/index.ts', "export { one } from './one'; export enum Kind { A = 7 }");
    write('parts/one.ts', "import type { None } from './none.ts'; export const one: number | None = 1;");
    write('two.mts', 'export const two: number = 2;');
    write('three.js', 'export const three = 3;');
    const flow = `
      import { name } from 'millrace';
      import { Kind, one } from './parts';
      import { two } from './two.mts';
      import { three } from './three.js';
      import { four } from './four.js';
      interface Unused { a: 1 }
      export default [name, Kind.A, one, two, three, four satisfies number];`;
    write('four.ts', 'export const four: number = 4;');
    expect(load(write('flow.ts', flow))).toEqual({ value: ['millrace', 7, 1, 2, 3, 4] });
    write('package.json', '{"type":"commonjs"}');
    expect(load(write('again.ts', flow))).toEqual({ value: ['millrace', 7, 1, 2, 3, 4] });
  });

  it('is found from JavaScript, now and later', () => {
    write('helper.ts', 'export const helper: string = "helped";');
    const text =
      "import { helper } from './helper.ts'; export default import('./helper').then((later) => [helper, later.helper]);";
    expect(load(write('flow.js', text))).toEqual({ value: ['helped', 'helped'] });
    expect(load(write('flow.mjs', text))).toEqual({ value: ['helped', 'helped'] });
  });

  it('imports what runs, whatever this package exports', () => {
    write('node_modules/millrace/package.json', '{"exports":"./dist.js","type":"module"}');
    write('node_modules/millrace/dist.js', "export const name = 'its own';");
    const file = write('flow.ts', "import { name } from 'millrace'; export default name;");
    expect(load(file)).toEqual({ value: 'its own' });
    expect(load(file, join(folder, 'node_modules', 'millrace'))).toEqual({ value: 'millrace' });
  });

  it('means the build where it imports a source of this package', () => {
    write('src/part.ts', "export const part = 'a source';");
    write('cache/src/part.js', "export const part = 'the build';");
    write('cache/package.json', '{"type":"module"}');
    const file = write('flows/flow.ts', "import { part } from '../src/part.ts'; export default part;");
    expect(load(file)).toEqual({ value: 'a source' });
    expect(load(file, folder, join(folder, 'cache'))).toEqual({ value: 'the build' });
  });

  it('says where it cannot be compiled', () => {
    expect(load(write('broken.ts', '\nexport default {;\n')).error).toMatch(
      /^SyntaxError: Expected identifier.*broken\.ts:2:17\)$/,
    );
  });
});
