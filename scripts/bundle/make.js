/**
 * All our modules and the packages that they import, in one file that V8 compiles once (load.cjs). Beside it lies a small module in
 * place of each of ours, laid out as the sources are: whoever imports one by its path gets what the file has, so that there is one
 * instance of everything in a process.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { compileEach, DATA, filesBelow, reached, STARTED } from '../compile.js';
import { bundleWeb } from './web.js';

const here = dirname(fileURLToPath(import.meta.url));

/** What is started or imported from outside: the command line, and what flows import. */
const ENTRIES = ['cluster/cli/main.ts', 'src/index.ts', 'src/math.ts', 'src/client/index.ts'];
/** Packages with native code, that are optional, or that find files of their own beside themselves. */
const OUTSIDE = /^(@tensorflow|@aws-sdk|chdb|esbuild|tsx)(\/|$)/;
/** A package whose objects flows make and ours check: imports of it, too, get the instance in the file. */
const SHARED = ['zod'];
/** Says that nothing of a file is in the source map: of packages it would be most of it. */
const UNMAPPED = `\n//# sourceMappingURL=data:application/json;base64,${btoa('{"version":3,"sources":[""],"mappings":"A"}')}`;
const ENTRY = 'millrace:parts';
const SHARED_ENTRY = 'millrace:shared/';

/**
 * Makes the file and what lies beside it in folder `out`, the page of the gateway included. Throws what esbuild says of a module that does not compile.
 *
 * @returns how many modules of ours are in it
 */
export async function bundleModules(root, out) {
  const modules = await reached(root, ENTRIES);
  const compiled = modules.filter((path) => path.endsWith('.ts'));
  // What a process or a thread begins with may wait at its top level, which a part of the file cannot.
  const mains = compiled.filter((path) => path.endsWith('main.ts') && !ENTRIES.includes(path));
  const parts = compiled.filter((path) => !mains.includes(path));
  const [names] = await Promise.all([
    exportsOf(root, parts),
    bundle(root, out, parts),
    compileEach(root, out, mains),
    bundleWeb(root, out),
  ]);
  for (const [part, exported] of names) place(out, part, exported);
  const data = filesBelow(join(root, 'src')).filter((path) => DATA.includes(extname(path)));
  const copied = [...modules.filter((path) => !path.endsWith('.ts')), ...data.map((path) => relative(root, path))];
  for (const path of copied) cpSync(join(root, path), join(out, path));
  for (const name of ['load.cjs', 'traces.cjs', 'warm.cjs']) copyFileSync(join(here, name), join(out, name));
  return parts.length;
}

/** Flags that nodes are started with (`heapFlags`): V8 keeps what it compiled for each set of flags by itself. */
const FLAGS = [[], ['--max-semi-space-size=64']];

/**
 * Compiles what was bundled into `out` for this version of Node.js, once it is where it stays: V8 notes that. What fails is left: the first
 * process that starts does it then.
 */
export async function warm(out) {
  const one = (flags) =>
    new Promise((done) => {
      const child = spawn(process.execPath, [...flags, join(out, 'warm.cjs')], { stdio: 'ignore' });
      child.on('error', done);
      child.on('close', done);
    });
  await Promise.all(FLAGS.map(one));
}

const withoutEnding = (path) => path.replace(/\.ts$/, '');

/** What each module exports, `export *` of others included. */
async function exportsOf(root, parts) {
  const shared = SHARED.map((name) => `${SHARED_ENTRY}${name}`);
  const { metafile } = await build({
    ...{ bundle: true, splitting: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20.12' },
    ...{ absWorkingDir: root, outdir: root, outbase: root, write: false, metafile: true, logLevel: 'silent' },
    entryPoints: parts,
  });
  const names = Object.values(metafile.outputs)
    .filter(({ entryPoint }) => entryPoint !== undefined)
    .map(({ entryPoint, exports }) => [withoutEnding(entryPoint), exports]);
  for (const path of shared) names.push([path, Object.keys(await import(path.slice(SHARED_ENTRY.length)))]);
  return names;
}

/** Writes the module that stands where a part's own would be. */
function place(out, part, exported) {
  const path = part.startsWith(SHARED_ENTRY) ? `shared/${part.slice(SHARED_ENTRY.length)}` : part;
  const file = join(out, `${path}.js`);
  const load = relative(dirname(file), join(out, 'load.cjs')).split(sep).join('/');
  const taken = exported.map((name, at) => `${name}: $${at}`).join(', ');
  const given = exported.map((name, at) => `$${at} as ${name}`).join(', ');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    `import part from '${load.startsWith('.') ? load : `./${load}`}';\nconst { ${taken} } = part('${part}');\nexport { ${given} };\n`,
  );
}

async function bundle(root, out, parts) {
  const requires = [
    ...parts.map((path) => [withoutEnding(path), `./${path}`]),
    ...SHARED.map((name) => [`${SHARED_ENTRY}${name}`, `${SHARED_ENTRY}${name}`]),
  ];
  const entry = `module.exports = {\n${requires.map(([name, path]) => `'${name}': () => require('${path}'),`).join('\n')}\n};`;
  await build({
    ...{
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20.12',
      charset: 'ascii',
      minifyWhitespace: true,
      lineLimit: 160,
    },
    ...{
      absWorkingDir: root,
      outfile: join(out, 'millrace.cjs'),
      sourcemap: 'linked',
      sourcesContent: false,
      legalComments: 'none',
      logLevel: 'silent',
    },
    // Packages are required, also those that are loaded when they are needed; what a variable names is imported by load.cjs.
    supported: { 'dynamic-import': false },
    // What our modules know of where they lie, `import.meta.url`, is where the module lies that stands in their place.
    define: { 'import.meta.url': '__here' },
    banner: { js: '(function (exports, require, module, __filename, __dirname, __at, __import) {' },
    footer: { js: '})' },
    plugins: [partsPlugin(root, out, entry)],
    entryPoints: [ENTRY],
  });
}

function partsPlugin(root, out, entry) {
  const inOut = (path) => relative(out, path).split(sep).join('/');
  return {
    name: 'parts',
    setup(build) {
      build.onResolve({ filter: /^millrace:/ }, ({ path }) => ({ path, namespace: 'parts' }));
      build.onLoad({ filter: /./, namespace: 'parts' }, ({ path }) => {
        const name = path.slice(SHARED_ENTRY.length);
        const contents = path === ENTRY ? entry : `export * from '${name}'; export { default } from '${name}';`;
        return { contents, loader: 'js', resolveDir: root };
      });
      build.onResolve({ filter: OUTSIDE }, ({ path }) => ({ path, external: true }));
      build.onLoad({ filter: /\.(ts|[cm]?js)$/, namespace: 'file' }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (path.includes(`${sep}node_modules${sep}`)) return { contents: packaged(text, inOut(dirname(path))), loader: 'js' };
        const source = text
          .replaceAll(STARTED, "new URL('$1.js', import.meta.url)")
          .replaceAll('import(/* @vite-ignore */ ', '__import(');
        const at = relative(root, path).split(sep).join('/').replace(/\.ts$/, '.js');
        const self = source.includes('import.meta.url') ? `const __here = __at(${JSON.stringify(at)});` : '';
        return { contents: self + source, loader: path.endsWith('.ts') ? 'ts' : 'js' };
      });
    },
  };
}

/** A module of a package, which may look for files beside itself. */
function packaged(text, folder) {
  const self = /\b__dirname\b/.test(text)
    ? `var __dirname = require('node:url').fileURLToPath(__at(${JSON.stringify(folder)}));`
    : '';
  return `${text.startsWith('#!') ? '//' : ''}${self}${text}${UNMAPPED}`;
}
