import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkData, checkFiles, readSnapshot, writeSnapshot } from './snapshot-file.ts';
import { takeSnapshot } from './take.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'flow-code-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** A flow of several files of every kind. */
function flow(): string {
  write('parts/helper.ts', "import { deep } from './deep.js'; export interface A { a: 1 } export const helper: number = deep;");
  write('parts/deep.ts', 'export const deep = 1;');
  write('parts/later.js', "export default 'later 1';");
  write('parts/named.json', '{"named":1}');
  write('legacy.cjs', "module.exports = require('./old.cjs');");
  write('old.cjs', 'module.exports = 1;');
  write('words.txt', 'one');
  write('node_modules/dep/package.json', '{"name":"dep","version":"1.2.3","type":"module","exports":"./index.js"}');
  write('node_modules/dep/index.js', 'export const dep = 1;');
  return write(
    'flow.ts',
    `import { readFileSync } from 'node:fs';
     import { dep } from 'dep';
     import { z } from 'millrace';
     import { helper, type A } from './parts/helper';
     import named from './parts/named.json' with { type: 'json' };
     import legacy from './legacy.cjs';
     const words = (): string => readFileSync(new URL('./words.txt', import.meta.url), 'utf8');
     const unused: A | undefined = undefined;
     export default {
       values: async () => [helper, named.named, legacy, dep, typeof z.object, words(), (await import('./parts/later.js')).default],
       throws: () => { throw new Error('on line 11'); },
     };`,
  );
}

/** Snapshots of a flow's code, made and run in a process of Millrace's own. */
function run(script: string): unknown {
  const file = write(
    'script.mts',
    `import { writeFileSync } from 'node:fs';
     import { takeSnapshot } from '${root}src/flow/code/take.ts';
     import { writeSnapshot } from '${root}src/flow/code/snapshot-file.ts';
     import { describe } from '${root}src/flow/failure.ts';
     import { importDefault } from '${root}src/flow/load.ts';
     const folder = ${JSON.stringify(folder)};
     const flow = folder + '/flow.ts';
     const load = (snapshot?: string): Promise<any> => importDefault(flow, { what: 'flow', field: 'flow', example: '' }, snapshot);
     const take = async (): Promise<string> => writeSnapshot(folder + '/code', await takeSnapshot({ entries: [flow] }));
     const edit = (name: string, text: string): void => writeFileSync(folder + '/' + name, text);
     ${script}`,
  );
  const output = execFileSync(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/esm/index.mjs'), file], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return JSON.parse(output);
}

describe('a snapshot of code', () => {
  it('holds the modules that are imported by path, and says what else they need', async () => {
    const file = flow();
    const { modules, files, packages } = await takeSnapshot({ entries: [file] });
    const names = (paths: object): string[] =>
      Object.keys(paths)
        .map((path) => path.slice(folder.length + 1))
        .sort();
    expect(names(modules)).toEqual(['flow.ts', 'parts/deep.ts', 'parts/helper.ts', 'parts/later.js', 'parts/named.json']);
    expect(names(files)).toEqual(['legacy.cjs', 'old.cjs', 'words.txt']);
    expect(packages).toEqual({ [join(folder, 'node_modules/dep')]: '1.2.3' });
    expect(modules[file]!.imports['./parts/helper']).toBe(join(folder, 'parts/helper.ts'));
  });

  it('has another digest when any of it is another, and the same otherwise', async () => {
    const file = flow();
    const data = join(folder, 'data');
    write('data/a.json', '[]');
    const digest = async (): Promise<string> => (await takeSnapshot({ entries: [file], data })).digest;
    const digests = new Set([await digest()]);
    expect(await digest()).toBe([...digests][0]);
    write('unrelated.ts', 'export default 1;');
    expect(await digest()).toBe([...digests][0]);
    const edits: [string, string][] = [
      ['parts/deep.ts', 'export const deep = 2;'],
      ['parts/later.js', 'export default 2;'],
      ['parts/named.json', '{"named":2}'],
      ['old.cjs', 'module.exports = 2;'],
      ['words.txt', 'two'],
      ['node_modules/dep/package.json', '{"name":"dep","version":"1.2.4"}'],
      ['data/a.json', '[1]'],
      ['data/deep/b.json', '[1]'],
    ];
    for (const [name, text] of edits) {
      write(name, text);
      digests.add(await digest());
    }
    expect(digests.size).toBe(1 + edits.length);
  });

  it('is run as it was taken, twice in one process, wherever its files and packages lie', () => {
    flow();
    const values = (n: number): unknown[] => [n, n, 1, 1, 'function', 'one', `later ${n}`];
    const result = run(`
      const first = await take();
      edit('parts/deep.ts', 'export const deep = 2;');
      edit('parts/named.json', '{"named":2}');
      edit('parts/later.js', "export default 'later 2'");
      const second = await take();
      edit('parts/deep.ts', 'this is no TypeScript');
      edit('parts/later.js', 'nor this');
      edit('flow.ts', '');
      const flows = [await load(first), await load(second), await load(first)];
      let thrown = '';
      try { flows[0].throws(); } catch (error) { thrown = describe(error); }
      console.log(JSON.stringify({ values: await Promise.all(flows.map((flow) => flow.values())), same: flows[0] === flows[2], thrown }));`);
    expect(result).toEqual({
      values: [values(1), values(2), values(1)],
      same: true,
      thrown: 'Error: on line 11 (flow.ts:11)',
    });
  });

  it('is refused when it was changed, and when what cannot be run from it has changed', async () => {
    const data = write('data.json', '[]');
    const snapshot = await takeSnapshot({ entries: [flow()], data });
    const file = await writeSnapshot(join(folder, 'code'), snapshot);
    const whole = readFileSync(file, 'utf8');
    const read = await readSnapshot(file);
    expect(read).toEqual(snapshot);
    await checkFiles(read);
    await checkData(read);

    const refused = (message: RegExp): object => ({
      code: 'unavailable',
      field: 'code',
      message: expect.stringMatching(message) as string,
    });
    write('data.json', '[1]');
    await expect(checkData(read)).rejects.toMatchObject(refused(/data\.json has changed since the job was created; put back/));
    write('old.cjs', 'module.exports = 2;');
    await expect(checkFiles(read)).rejects.toMatchObject(refused(/old\.cjs has changed/));
    write('old.cjs', 'module.exports = 1;');
    rmSync(join(folder, 'words.txt'));
    await expect(checkFiles(read)).rejects.toMatchObject(refused(/words\.txt has changed/));
    write('words.txt', 'one');
    write('node_modules/dep/package.json', '{"version":"2.0.0"}');
    await expect(checkFiles(read)).rejects.toMatchObject(
      refused(/package .*dep was 1\.2\.3 when the job was created and is 2\.0\.0/),
    );
    for (const damaged of [whole.slice(0, 100), whole.replace('const deep = 1', 'const deep = 9'), '', '{}', 'null']) {
      writeFileSync(file, damaged);
      await expect(readSnapshot(file)).rejects.toMatchObject(refused(/the code of the job cannot be read from/));
    }
    rmSync(file);
    await expect(readSnapshot(file)).rejects.toMatchObject(refused(/ENOENT/));
  });

  it('says where a module cannot be read', async () => {
    const file = write('broken.ts', "import './parts/none.ts';\n");
    await expect(takeSnapshot({ entries: [file] })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/broken\.ts:1:8: Could not resolve/) as string,
    });
    write('broken.ts', '\nexport default {;\n');
    await expect(takeSnapshot({ entries: [file] })).rejects.toThrow(/broken\.ts:2:17: Expected identifier/);
    await expect(takeSnapshot({ entries: [join(folder, 'none.ts')] })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('takes two at the same time', async () => {
    const file = flow();
    const both = await Promise.all([takeSnapshot({ entries: [file] }), takeSnapshot({ entries: [file] })]);
    expect(both[0].digest).toBe(both[1].digest);
  });
});
