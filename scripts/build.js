// npm run build: compiles what the package exports and runs into dist/, laid out as the sources are, with source maps and
// declarations. npm pack runs it; a checkout itself runs from its sources.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist');
/** What package.json exports and bin/ starts. Modules that the code starts itself, `new URL('./x.ts', import.meta.url)`, are found. */
const ENTRIES = ['src/index.ts', 'src/math.ts', 'src/conformance.ts', 'cluster/cli/main.ts'];
/** Loads tsx, for a process that runs from the sources. */
const SOURCES_ONLY = ['src/reward/custom/thread.mjs'];
/** Files that the code reads beside itself, by ending. */
const DATA = ['.sql'];
const STARTED = /new URL\(\s*'(\.{1,2}\/[^']+)\.ts',\s*import\.meta\.url\s*\)/g;

const began = Date.now();
rmSync(out, { recursive: true, force: true });
const modules = await reached(ENTRIES);
const compiled = modules.filter((path) => path.endsWith('.ts'));
await compile(compiled);
const data = filesBelow(join(root, 'src')).filter((path) => DATA.includes(extname(path)));
const copied = [...modules.filter((path) => !path.endsWith('.ts')), ...data.map((path) => relative(root, path))];
for (const path of copied) cpSync(join(root, path), join(out, path));
process.exitCode = declare();
if (process.exitCode === 0) console.log(`Built ${compiled.length} modules in ${((Date.now() - began) / 1000).toFixed(1)} s.`);

/** Every module of ours that runs when the entries do, relative to the root. */
async function reached(entries) {
  const { metafile } = await build({
    ...{ entryPoints: entries, bundle: true, packages: 'external', platform: 'node', format: 'esm' },
    ...{ absWorkingDir: root, outdir: out, write: false, metafile: true },
  });
  const found = Object.keys(metafile.inputs).filter((path) => !SOURCES_ONLY.includes(path));
  const started = found.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(STARTED)].map(([, to]) => join(dirname(path), `${to}.ts`)),
  );
  const more = started.filter((path) => !found.includes(path) && !entries.includes(path));
  return more.length === 0 ? found.sort() : reached([...entries, ...new Set(more)]);
}

/** Writes the declarations of what is exported; returns the exit code. */
function declare() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  // tsc leaves the endings; older versions of it do not find declarations by them.
  for (const path of filesBelow(out).filter((file) => file.endsWith('.d.ts')))
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/((?:from|import\() ?'\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
  return status ?? 1;
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true }).map((path) => join(folder, path));
}

/** Compiles each module to one of its own: what it finds by `import.meta.url` lies where it did. */
async function compile(paths) {
  const renamed = (path) => path.replace(/\.ts$/, '.js');
  const oneByOne = {
    name: 'one-by-one',
    setup(build) {
      build.onResolve({ filter: /^\./, namespace: 'file' }, ({ path, kind }) =>
        kind === 'entry-point' ? undefined : { path: renamed(path), external: true },
      );
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replaceAll(STARTED, "new URL('$1.js', import.meta.url)"),
        loader: 'ts',
      }));
    },
  };
  await build({
    ...{ bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20.12', plugins: [oneByOne] },
    ...{ absWorkingDir: root, outdir: out, outbase: root, sourcemap: true },
    entryPoints: paths.map((path) => join(root, path)),
  });
}
