/** Compiling our own TypeScript modules with esbuild, one output for each, laid out as the sources are. */
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { build } from 'esbuild';

/** What package.json exports and bin/ starts. Modules that the code starts itself, `new URL('./x.ts', import.meta.url)`, are found. */
const ENTRIES = ['src/index.ts', 'src/math.ts', 'src/conformance.ts', 'src/client/index.ts', 'cluster/cli/main.ts'];
/** Loads tsx, for a process that runs from the sources. */
const SOURCES_ONLY = ['src/reward/custom/thread.mjs'];
/** Files that the code reads beside itself, by ending. */
export const DATA = ['.sql'];
/** Not in a comment, where it may be an example. */
export const STARTED = /(?<!^[ \t]*(?:\*|\/\/).*)new URL\(\s*'(\.{1,2}\/[^']+)\.ts',\s*import\.meta\.url\s*\)/gm;

/**
 * Compiles every module that the entries reach from `root` into `out`, with source maps, and copies the files that they read beside
 * themselves. Throws what esbuild says of a module that does not compile.
 *
 * @param entries - default: the command line and the exports
 * @returns how many modules were compiled
 */
export async function compileModules(root, out, entries = ENTRIES) {
  const modules = await reached(root, entries);
  const compiled = modules.filter((path) => path.endsWith('.ts'));
  await compileEach(root, out, compiled);
  const data = filesBelow(join(root, 'src')).filter((path) => DATA.includes(extname(path)));
  const copied = [...modules.filter((path) => !path.endsWith('.ts')), ...data.map((path) => relative(root, path))];
  for (const path of copied) cpSync(join(root, path), join(out, path));
  return compiled.length;
}

/** Paths of everything in a folder and the folders in it. */
export function filesBelow(folder) {
  return readdirSync(folder, { recursive: true }).map((path) => join(folder, path));
}

/** Every module of ours that runs when the entries do, relative to the root. */
export async function reached(root, entries) {
  const { metafile } = await build({
    ...{ entryPoints: entries, bundle: true, packages: 'external', platform: 'node', format: 'esm' },
    ...{ absWorkingDir: root, outdir: root, write: false, metafile: true, logLevel: 'silent' },
  });
  const found = Object.keys(metafile.inputs).filter((path) => !SOURCES_ONLY.includes(path));
  const started = found.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(STARTED)].map(([, to]) => join(dirname(path), `${to}.ts`)),
  );
  const more = started.filter((path) => !found.includes(path) && !entries.includes(path));
  return more.length === 0 ? found.sort() : reached(root, [...entries, ...new Set(more)]);
}

/**
 * Compiles each module to one of its own: what it finds by `import.meta.url` lies where it did.
 *
 * @param change - gets the text of a module and returns what is compiled. Default: as it is
 */
export async function compileEach(root, out, paths, change = (text) => text) {
  const renamed = (path) => path.replace(/\.ts$/, '.js');
  const oneByOne = {
    name: 'one-by-one',
    setup(build) {
      build.onResolve({ filter: /^\./, namespace: 'file' }, ({ path, kind }) =>
        kind === 'entry-point' ? undefined : { path: renamed(path), external: true },
      );
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        contents: change(readFileSync(path, 'utf8')).replaceAll(STARTED, "new URL('$1.js', import.meta.url)"),
        loader: 'ts',
      }));
    },
  };
  await build({
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20.12', plugins: [oneByOne] },
    ...{ absWorkingDir: root, outdir: out, outbase: root, sourcemap: true, logLevel: 'silent' },
    entryPoints: paths.map((path) => join(root, path)),
  });
}
