import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../random/seeded.ts';
import { FileArtifacts } from '../../artifacts/file-artifacts.ts';
import { makeBundle } from './make.ts';
import { runScript, writeFiles } from './testing.ts';
import { readBundle, unpackBundle } from './unpack.ts';

let folder: string;
let store: FileArtifacts;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bundle-'));
  store = new FileArtifacts(join(folder, 'artifacts'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (...path: string[]): string => join(folder, ...path);
const unpacked = (digest: string) => unpackBundle(digest, store, { folder: at('bundles'), random: systemRandom() });

/** A flow of several files of every kind, in folder `flow`. */
const FILES: Record<string, string> = {
  'flow/parts/helper.ts': "import { deep } from './deep.js'; export interface A { a: 1 } export const helper: number = deep;",
  'flow/parts/deep.ts': 'export const deep = 1;',
  'flow/parts/later.js': "export default 'later 1';",
  'flow/parts/named.json': '{"named":1}',
  'flow/parts/here.ts': 'export const here = [import.meta.url, import.meta.dirname, import.meta.filename];',
  'flow/legacy.cjs':
    "module.exports = require('./old.cjs') + require('node:path').basename(__dirname) + require('node:path').basename(__filename);",
  'flow/old.cjs': 'module.exports = 1;',
  'flow/words.txt': 'one',
  'flow/prompts/system.txt': 'be brief',
  'flow/node_modules/dep/package.json': '{"name":"dep","version":"1.2.3","main":"./index.js"}',
  'flow/node_modules/dep/index.js': "exports.dep = 1; exports.read = () => require('fs').existsSync(__filename);",
  'flow/node_modules/esm/package.json': '{"name":"esm","type":"module","exports":"./index.js"}',
  'flow/node_modules/esm/index.js': "export { dep as again } from 'dep';",
  'flow/flow.ts': `import { readFileSync } from 'node:fs';
     import { dep } from 'dep';
     import { again } from 'esm';
     import { z } from 'millrace';
     import { z as own } from 'zod';
     import { helper, type A } from './parts/helper';
     import { here } from './parts/here';
     import named from './parts/named.json' with { type: 'json' };
     import legacy from './legacy.cjs';
     const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
     const words = (): string => readFileSync(new URL('./words.txt', import.meta.url), 'utf8');
     const unused: A | undefined = undefined;
     export default {
       values: async () => [helper, named.named, legacy, dep, again, z === own, words(), (await import('./parts/later.js')).default],
       prompt: () => read(['./prompts', 'system.txt'].join('/')),
       here,
       throws: () => { throw new Error('on line 17'); },
     };`,
  'reward.ts': "import { helper } from './flow/parts/helper.ts'; export default () => helper / 10;",
  'data/a.json': '[1]',
  'data/deep/b.json': '[2]',
};
const sources = () => ({
  ...{ flow: at('flow/flow.ts'), rewards: [at('reward.ts')], files: [at('flow/prompts')], data: at('data') },
});

/** Loads a module of a bundle in a process of Millrace's own. */
function load(file: string, expression: string): unknown {
  return runScript(
    folder,
    `import { importDefault } from 'ROOT/src/flow/load.ts';
     import { describe } from 'ROOT/src/flow/failure.ts';
     const loaded: any = await importDefault('/gone/flow.ts', { what: '', field: '', example: '' }, ${JSON.stringify(file)});
     const thrown = (): string => { try { loaded.throws(); return ''; } catch (error) { return describe(error); } };
     console.log(JSON.stringify(await (${expression})));`,
  );
}

describe('a bundle', () => {
  it('runs where its sources cannot be seen', async () => {
    writeFiles(folder, FILES);
    const digest = await makeBundle(sources(), store);
    for (const name of ['flow', 'reward.ts', 'data']) rmSync(at(name), { recursive: true });
    const bundle = await unpacked(digest);
    const values = await load(bundle.flow, '(async () => [await loaded.values(), loaded.prompt(), loaded.here, thrown()])()');
    const source = join(bundle.folder, 'code/flow/parts/here.ts');
    expect(values).toEqual([
      [1, 1, '1flowlegacy.cjs', 1, 1, true, 'one', 'later 1'],
      'be brief',
      [`file://${source}`, join(source, '..'), source],
      'Error: on line 17 (flow.ts:17)',
    ]);
    expect(load(bundle.rewards[0]!, 'loaded()')).toBe(0.1);
    expect(bundle.source).toBe(join(bundle.folder, 'code/flow/flow.ts'));
    expect(readFileSync(join(bundle.data!, 'deep/b.json'), 'utf8')).toBe('[2]');
  });

  it('has the same digest wherever its sources lie, and another when any of them changes', async () => {
    writeFiles(folder, FILES);
    const digest = await makeBundle(sources(), store);
    writeFiles(at('elsewhere/below'), FILES);
    const moved = (path: string): string => at('elsewhere/below', path);
    const same = {
      flow: moved('flow/flow.ts'),
      rewards: [moved('reward.ts')],
      files: [moved('flow/prompts')],
      data: moved('data'),
    };
    expect(await makeBundle(same, store)).toBe(digest);
    writeFiles(folder, { 'flow/unrelated.ts': 'export default 1;' });
    expect(await makeBundle(sources(), store)).toBe(digest);
    const digests = new Set([digest]);
    const edits: Record<string, string> = {
      'flow/parts/deep.ts': 'export const deep = 2;',
      'flow/parts/later.js': 'export default 2;',
      'flow/parts/named.json': '{"named":2}',
      'flow/old.cjs': 'module.exports = 2;',
      'flow/words.txt': 'two',
      'flow/prompts/more.txt': 'or not',
      'flow/node_modules/dep/index.js': 'exports.dep = 2;',
      'reward.ts': 'export default () => 1;',
      'data/a.json': '[3]',
      'data/deep/c.json': '[1]',
    };
    for (const [name, text] of Object.entries(edits)) {
      writeFiles(folder, { [name]: text });
      digests.add(await makeBundle(sources(), store));
    }
    expect(digests.size).toBe(1 + Object.keys(edits).length);
  });

  it('has data that is one file, none, or not there', async () => {
    writeFiles(folder, { 'flow.mjs': 'export default 1;', 'tasks.jsonl': '{}' });
    const dataOf = async (data?: string) => (await unpacked(await makeBundle({ flow: at('flow.mjs'), data }, store))).data;
    expect(await dataOf()).toBeUndefined();
    expect(await dataOf(at('nowhere'))).toBeUndefined();
    expect(readFileSync((await dataOf(at('tasks.jsonl')))!, 'utf8')).toBe('{}');
  });

  it('keeps what can be executed so, and everything read-only', async () => {
    writeFiles(folder, { 'flow.mjs': 'export default 1;', 'tool.sh': '#!/bin/sh\n' });
    chmodSync(at('tool.sh'), 0o755);
    const bundle = await unpacked(await makeBundle({ flow: at('flow.mjs'), files: [at('tool.sh')] }, store));
    expect(statSync(join(bundle.folder, 'code/tool.sh')).mode & 0o777).toBe(0o500);
    expect(statSync(bundle.flow).mode & 0o777).toBe(0o400);
  });

  it('is mended when what was unpacked is damaged, also by several processes at once', async () => {
    writeFiles(folder, FILES);
    const digest = await makeBundle(sources(), store);
    const bundle = await unpacked(digest);
    chmodSync(bundle.flow, 0o600);
    appendFileSync(bundle.flow, 'damaged');
    rmSync(join(bundle.data!, 'a.json'));
    await Promise.all(Array.from({ length: 4 }, () => unpacked(digest)));
    expect(readFileSync(bundle.flow, 'utf8')).not.toContain('damaged');
    expect(readFileSync(join(bundle.data!, 'a.json'), 'utf8')).toBe('[1]');
    expect(readdirSync(at('bundles'))).toEqual([digest]);
  });

  it('is unavailable while an artifact is gone or damaged', async () => {
    writeFiles(folder, FILES);
    const digest = await makeBundle(sources(), store);
    const words = store.pathOf((await readBundle(digest, store)).files['code/flow/words.txt']!);
    const refused = (message: RegExp) => ({
      code: 'unavailable',
      field: 'code',
      message: expect.stringMatching(message) as string,
    });
    appendFileSync(words, 'x');
    await expect(unpacked(digest)).rejects.toMatchObject(refused(/code\/flow\/words\.txt: artifact .* is damaged.*put back/));
    rmSync(words);
    await expect(unpacked(digest)).rejects.toMatchObject(refused(/words\.txt: artifact .* is not in/));
    expect(readdirSync(at('bundles'))).toEqual([]);
    writeFileSync(words, 'one');
    await unpacked(digest);
    renameSync(store.pathOf(digest), at('manifest'));
    await expect(unpacked(digest)).rejects.toMatchObject(refused(/artifact .* is not in/));
  });
});

describe('what cannot be bundled', () => {
  const refused = async (files: Record<string, string>): Promise<unknown> => {
    writeFiles(folder, files);
    return makeBundle({ flow: at('flow.ts') }, store).catch((thrown: unknown) => thrown);
  };

  it.each<[string, Record<string, string>, RegExp]>([
    ['an addon', { 'package.json': '{"main":"a.node"}', 'a.node': '' }, /package addon .*a\.node is a native addon/],
    ['gypfile', { 'package.json': '{"gypfile":true,"main":"a.js"}', 'a.js': '' }, /package addon .*native addon \(gypfile\)/],
    [
      'a helper of addons',
      { 'package.json': '{"dependencies":{"bindings":"1"},"main":"a.js"}', 'a.js': '' },
      /package addon .*depends on bindings/,
    ],
    [
      'builds for platforms',
      { 'package.json': '{"optionalDependencies":{"@addon/linux-x64":"1"},"main":"a.js"}', 'a.js': '' },
      /package addon .*@addon\/linux-x64/,
    ],
  ])('is refused with the name of the package: %s', async (_, files, message) => {
    const inPackage = Object.fromEntries(Object.entries(files).map(([name, text]) => [`node_modules/addon/${name}`, text]));
    const error = await refused({ 'flow.ts': "import addon from 'addon'; export default addon;", ...inPackage });
    expect(error).toMatchObject({ code: 'invalid_argument', field: 'flow', message: expect.stringMatching(message) as string });
  });

  it('is refused with its place', async () => {
    expect(await refused({ 'flow.ts': "import 'nowhere';\nexport default 1;" })).toMatchObject({
      message: expect.stringMatching(/flow\.ts:1:8: Could not resolve "nowhere"/) as string,
    });
    expect(await refused({ 'flow.ts': 'export default {' })).toMatchObject({
      message: expect.stringMatching(/flow\.ts:1:\d+: Expected identifier but found end of file/) as string,
    });
    await expect(makeBundle({ flow: at('none.ts') }, store)).rejects.toMatchObject({ code: 'not_found', field: 'flow' });
    writeFiles(folder, { 'flow.ts': 'export default 1' });
    await expect(makeBundle({ flow: at('flow.ts'), files: [at('none')] }, store)).rejects.toMatchObject({
      code: 'not_found',
      field: 'files',
    });
  });
});
