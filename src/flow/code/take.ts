import { readFile, realpath } from 'node:fs/promises';
import { dirname, extname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BuildFailure, Loader, Metafile, Plugin } from 'esbuild';
import { MillraceError } from '../../errors.ts';
import { PACKAGE_FOLDER } from '../../installation.ts';
import { dataDigest, fileDigest, sha256 } from './digest.ts';
import { packageOf } from './packages.ts';
import { digestParts, type CodeSnapshot, type SnapshotModule } from './snapshot.ts';

/** This package's own code: an import of it by path means what is running. */
const OWN_FOLDERS = ['src', 'cluster', 'dist', 'node_modules'].map((folder) => join(PACKAGE_FOLDER, folder) + sep);

const LOADERS: Readonly<Record<string, Loader>> = {
  '.js': 'jsx',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.json': 'json',
};

/** What a snapshot is taken of. */
export interface CodeSources {
  /** Modules that are imported: the flow, reward modules. Absolute. */
  entries: readonly string[];
  /** File or folder of the job's data, absolute. */
  data?: string | undefined;
}

/**
 * Reads the modules of a job and all they import by path, compiled, without running any of it.
 * @throws MillraceError not_found when an entry does not exist, invalid_argument with the place when a module cannot be read.
 */
export async function takeSnapshot({ entries, data }: CodeSources): Promise<CodeSnapshot> {
  const paths = await Promise.all(entries.map(realPath));
  const contents = new Map<string, string>();
  const { inputs } = await graphOf(paths, contents);
  const own = Object.entries(inputs).map(([path, input]) => ({ path: join('/', path), ...input }));
  const pinned = own.filter(({ path, format }) => isModule(path, format));
  const compiled = await compile(
    pinned.filter(({ path }) => !path.endsWith('.json')).map(({ path }) => path),
    contents,
  );
  const modules: Record<string, SnapshotModule> = {};
  const files: Record<string, string> = {};
  const packages: Record<string, string> = {};
  for (const { path, imports } of own) {
    const text = contents.get(path) ?? '';
    const code = path.endsWith('.json') ? text : compiled.get(path);
    if (code === undefined) files[path] = sha256(text);
    else modules[path] = { format: path.endsWith('.json') ? 'json' : 'module', source: code, imports: edges(imports) };
    for (const asset of assetsOf(path, text)) files[asset] ??= await fileDigest(asset);
    for (const { path: specifier, external } of imports) {
      const found = external === true ? await packageOf(specifier, dirname(path)) : undefined;
      if (found !== undefined) packages[found.folder] = found.version;
    }
  }
  const parts = {
    ...{ modules, files, packages },
    ...(data !== undefined && { data: { path: data, digest: await dataDigest(data) } }),
  };
  return { digest: sha256(JSON.stringify(digestParts(parts))), ...parts };
}

async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new MillraceError('not_found', `${path}: there is no such module`, { cause, field: 'flow' });
  }
}

/** Node runs these as ES modules (resolve-hook.mjs sees to that), so that they can come from a snapshot; CommonJS cannot. */
function isModule(path: string, format: string | undefined): boolean {
  return /\.(m?tsx?|mjs|json)$/.test(path) || (/\.jsx?$/.test(path) && format === 'esm');
}

function edges(imports: Metafile['inputs'][string]['imports']): Record<string, string> {
  return Object.fromEntries(
    imports.flatMap(({ path, external, original }) =>
      external === true || original === undefined ? [] : [[original, join('/', path)]],
    ),
  );
}

/** Files that a module names next to itself, `new URL('./data.json', import.meta.url)`. */
function assetsOf(path: string, text: string): string[] {
  const named = text.matchAll(/new\s+URL\(\s*(['"`])(\.{1,2}\/[^'"`$]*[^'"`$/])\1\s*,\s*import\.meta\.url\s*\)/g);
  return [...named].map(([, , relative]) => fileURLToPath(new URL(relative!, pathToFileURL(path))));
}

/** The import graph of the entries; the text of every file is put into `contents`. */
async function graphOf(entryPoints: string[], contents: Map<string, string>): Promise<Metafile> {
  const graph: Plugin = {
    name: 'graph',
    setup(build) {
      // What is run is what is read here, once.
      build.onLoad({ filter: /.*/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        contents.set(path, text);
        const loader = LOADERS[extname(path)];
        return loader === undefined ? { contents: '', loader: 'empty' } : { contents: text, loader };
      });
      build.onResolve({ filter: /^\.{0,2}\// }, async ({ path, pluginData, ...rest }) => {
        if (pluginData === RESOLVED) return undefined;
        const found = await build.resolve(path, { ...rest, pluginData: RESOLVED });
        return found.errors.length === 0 && isForeign(found.path) ? { path, external: true } : undefined;
      });
    },
  };
  const { metafile } = await withEsbuild((esbuild) =>
    esbuild.build({ ...common(entryPoints), bundle: true, metafile: true, packages: 'external', plugins: [graph] }),
  );
  return metafile;
}

const RESOLVED = Symbol('resolved');

function isForeign(path: string): boolean {
  return path.includes(`${sep}node_modules${sep}`) || OWN_FOLDERS.some((folder) => path.startsWith(folder));
}

async function compile(paths: string[], contents: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  if (paths.length === 0) return new Map();
  const known: Plugin = {
    name: 'known',
    setup(build) {
      build.onLoad({ filter: /.*/ }, ({ path }) => ({
        contents: contents.get(path) ?? '',
        loader: LOADERS[extname(path)] ?? 'ts',
      }));
    },
  };
  const { outputFiles } = await withEsbuild((esbuild) =>
    esbuild.build({
      ...common(paths),
      ...{ bundle: false, target: 'node20.12', sourcemap: 'inline', sourcesContent: false, sourceRoot: '/', plugins: [known] },
      entryPoints: paths.map((path) => ({ in: path, out: path })),
    }),
  );
  // Each output is called after its input, below `outdir`.
  const outputs = new Map(outputFiles.map(({ path, text }) => [path.slice(OUT.length).replace(/\.js$/, ''), text]));
  return new Map(paths.map((path) => [path, outputs.get(path) ?? '']));
}

const OUT = '/millrace-out';

function common(entryPoints: string[]) {
  return {
    ...{ entryPoints, outdir: OUT, outbase: '/', absWorkingDir: '/' },
    ...({ write: false, platform: 'node', format: 'esm', logLevel: 'silent' } as const),
  };
}

/** Builds under way; esbuild works in a process of its own, which is ended with the last one. */
let builds = 0;

async function withEsbuild<R>(work: (esbuild: typeof import('esbuild')) => Promise<R>): Promise<R> {
  const esbuild = await import('esbuild');
  builds += 1;
  try {
    return await work(esbuild);
  } catch (thrown) {
    const [problem] = (thrown as Partial<BuildFailure>).errors ?? [];
    if (problem === undefined) throw thrown;
    const { location, text } = problem;
    const place = location === null ? '' : `/${location.file}:${location.line}:${location.column + 1}: `;
    throw new MillraceError('invalid_argument', `${place}${text}`, { cause: thrown, field: 'flow' });
  } finally {
    builds -= 1;
    if (builds === 0) await esbuild.stop();
  }
}
