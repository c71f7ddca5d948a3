import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileModules } from '../compile.js';
import { ensureCompiled } from './compiled.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
let root;

/** A checkout with a handful of modules. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-compiled-'));
  for (const folder of ['src/store/queries', 'src/client', 'cluster/cli', 'scripts', 'web'])
    mkdirSync(join(root, folder), { recursive: true });
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/compile.js', 'scripts/bundle'])
    cpSync(join(repository, file), join(root, file), { recursive: true });
  writeFileSync(join(root, 'web/index.html'), '<link href="main.css" /><script src="main.js"></script>');
  writeFileSync(join(root, 'web/main.tsx'), "import './main.css';\ndocument.title = 'page' as string;\n");
  writeFileSync(join(root, 'web/main.css'), 'body { margin: 0; }');
  for (const name of ['index', 'math', 'conformance'])
    writeFileSync(join(root, `src/${name}.ts`), 'export const x: number = 1;\n');
  writeFileSync(join(root, 'src/store/queries/one.sql'), 'SELECT 1');
  writeFileSync(
    join(root, 'src/client/index.ts'),
    "/**\n * const flow = new URL('./flow.ts', import.meta.url);\n */\nexport const x: number = 1;\n",
  );
  writeFileSync(join(root, 'src/started.ts'), 'console.log(import.meta.url as string);\n');
  writeFileSync(
    join(root, 'cluster/cli/main.ts'),
    "import { x } from '../../src/index.ts';\nexport const answer: number = x + 1;\nexport const started = new URL('../../src/started.ts', import.meta.url);\n",
  );
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const compiled = () => ensureCompiled(root, join(root, 'cache'));
const builds = () => readdirSync(join(root, 'cache'));

it('the sources of this checkout compile', async () => {
  await compileModules(repository, join(root, 'out'));
  expect(existsSync(join(root, 'out/cluster/cli/main.js'))).toBe(true);
});

describe('the build of a checkout', () => {
  it('has the page, with assets that are named by their content', async () => {
    const folder = join(await compiled(), 'web');
    const [, style, script] = /"\/assets\/(main-\w+\.css)".*"\/assets\/(main-\w+\.js)"/.exec(
      readFileSync(join(folder, 'index.html'), 'utf8'),
    );
    expect(readdirSync(join(folder, 'assets')).sort()).toEqual([style, script].sort());
    expect(readFileSync(join(folder, 'assets', script), 'utf8')).toContain('document.title="page"');
  });

  it('runs, with the modules that are started and the files that are read', async () => {
    const folder = await compiled();
    const { answer, started } = await import(/* @vite-ignore */ pathToFileURL(join(folder, 'cluster/cli/main.js')).href);
    expect(answer).toBe(2);
    expect(spawnSync(process.execPath, [fileURLToPath(started)], { encoding: 'utf8' }).stdout).toBe(`${started.href}\n`);
    expect(existsSync(join(folder, 'src/store/queries/one.sql'))).toBe(true);
  });

  it('has one instance of each module, whoever imports it, and names its source in stacks', async () => {
    const lines = [
      'interface Text { text: string }',
      'export class Wrong extends Error {',
      '  readonly of: Text = { text: "x" };',
      '}',
    ];
    const fails = ['export function fails(): never {', "  throw new Wrong('wrong');", '}', 'export const x: number = 1;'];
    writeFileSync(join(root, 'src/index.ts'), [...lines, ...fails].join('\n'));
    writeFileSync(join(root, 'src/math.ts'), "export { Wrong } from './index.ts';\n");
    const folder = await compiled();
    const script = `const { fails, Wrong } = await import('${folder}/src/index.js');
      const { Wrong: same } = await import('${folder}/src/math.js');
      try { fails(); } catch (error) { console.log(error instanceof same && Wrong === same, error.stack); }`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toContain(`true Error: wrong\n    at fails (${join(root, 'src/index.ts')}:6:9)\n`);
  });

  it('keeps what V8 has compiled, and makes it anew where it is missing or damaged', async () => {
    const folder = await compiled();
    const kept = () => readdirSync(folder).filter((name) => name.endsWith('.v8'));
    const run = () => spawnSync(process.execPath, [join(folder, 'src/started.js')], { encoding: 'utf8' }).stdout;
    const printed = run();
    // For nodes with other flags, too.
    expect(kept()).toHaveLength(2);
    for (const name of kept()) writeFileSync(join(folder, name), 'damaged');
    expect(run()).toBe(printed);
    // That of nodes with other flags is still damaged.
    const sound = kept().filter((name) => readFileSync(join(folder, name), 'latin1') !== 'damaged');
    expect(sound).toHaveLength(1);
    for (const name of kept()) rmSync(join(folder, name));
    expect(run()).toBe(printed);
    expect(kept()).toHaveLength(1);
  });

  it('is of other entries and folders where it is asked for', async () => {
    mkdirSync(join(root, 'test'));
    writeFileSync(join(root, 'test/main.ts'), "export { x } from '../src/index.ts';\n");
    const build = () => ensureCompiled(root, join(root, 'cache'), { entries: ['test/main.ts'], folders: ['src', 'test'] });
    const folder = await build();
    expect((await import(/* @vite-ignore */ pathToFileURL(join(folder, 'test/main.js')).href)).x).toBe(1);
    writeFileSync(join(root, 'test/main.ts'), "export { x as y } from '../src/index.ts';\n");
    expect(await build()).not.toBe(folder);
  });

  it('is made once for the same sources, and anew for others', async () => {
    const first = await compiled();
    expect(await compiled()).toBe(first);
    writeFileSync(join(root, 'src/index.ts'), 'export const x: number = 2;\n');
    const second = await compiled();
    expect(second).not.toBe(first);
    // A cluster may still run from it.
    expect(builds()).toHaveLength(2);
  });

  it('is found without reading the sources, and made anew when one changes in size or time only', async () => {
    const file = join(root, 'src/index.ts');
    const seen = join(root, 'cache-seen.json');
    const first = await compiled();
    // As if it had been made a while after the last change.
    const old = JSON.parse(readFileSync(seen, 'utf8'));
    writeFileSync(seen, JSON.stringify({ ...old, at: Date.now() + 10_000, digest: 'what-was-seen' }));
    mkdirSync(join(root, 'cache/what-was-seen'));
    expect(await compiled()).toBe(join(root, 'cache/what-was-seen'));
    // The same size, and a time of writing that is set back to what it was.
    const { atime, mtime } = statSync(file);
    writeFileSync(file, readFileSync(file, 'utf8').replace('1', '7'));
    utimesSync(file, atime, mtime);
    const second = await compiled();
    expect(second).not.toBe(first);
    expect(readFileSync(join(second, 'millrace.cjs'), 'utf8')).toContain('x=7');
  });

  it('is not taken from what was seen in the same moment as a file changed', async () => {
    await compiled();
    const seen = join(root, 'cache-seen.json');
    const at = statSync(join(root, 'src/index.ts')).ctimeMs;
    writeFileSync(seen, JSON.stringify({ ...JSON.parse(readFileSync(seen, 'utf8')), at, digest: 'what-was-seen' }));
    mkdirSync(join(root, 'cache/what-was-seen'));
    expect(await compiled()).not.toBe(join(root, 'cache/what-was-seen'));
  });

  it('is the same for two that make it at once', async () => {
    const folders = await Promise.all([compiled(), compiled(), compiled()]);
    expect(new Set(folders).size).toBe(1);
    expect(builds()).toHaveLength(1);
  });

  it('is not kept when a source changes meanwhile', async () => {
    const build = compiled();
    writeFileSync(join(root, 'src/index.ts'), 'export const x: number = 3;\n');
    expect(await build).toBeUndefined();
    expect(builds()).toEqual([]);
  });

  it('goes when nothing was started from it for a month', async () => {
    const first = await compiled();
    const longAgo = new Date(Date.now() - 31 * 24 * 3_600_000);
    utimesSync(first, longAgo, longAgo);
    writeFileSync(join(root, 'src/index.ts'), 'export const x: number = 2;\n');
    const second = await compiled();
    expect(builds().map((name) => join(root, 'cache', name))).toEqual([second]);
  });

  it('is left out where a source does not compile', async () => {
    writeFileSync(join(root, 'src/index.ts'), 'export const x = ;\n');
    expect(await compiled()).toBeUndefined();
    expect(builds()).toEqual([]);
  });

  it('is left out where the cache cannot be written', async () => {
    writeFileSync(join(root, 'cache'), 'a file');
    expect(await compiled()).toBeUndefined();
  });
});
