import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, relative, sep } from 'node:path';
import type { Loader, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';
import { CODE_FOLDER, PACKAGE_FOLDER } from '../../installation.ts';
import { OWN_SCHEME } from '../own-modules.mjs';
import { packageFolder, unbundlable } from './packages.ts';

/** Folders of this package's own code: an import of it by path means the same module of what is running. */
const OWN_FOLDERS = [CODE_FOLDER, join(PACKAGE_FOLDER, 'dist'), PACKAGE_FOLDER];
/** Folder of the zod that this package uses. Looked for when a flow is bundled, which few processes do. */
const ownZod = (): string | undefined => packageFolder(createRequire(import.meta.url).resolve('zod'))?.folder;

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

/** Marks a resolution that this plugin has asked for itself. */
const ASKED = Symbol('asked');

/**
 * How the modules of a flow are found and read. `millrace`, this package's own files and its `zod` (where the flow's folder has no other) stay outside the bundle:
 * they are those of the process that runs it, under names that resolve-hook.mjs knows.
 * @param read - what to compile of a file, given its text
 */
export function graphPlugin(read: (path: string, text: string) => string): Plugin {
  return {
    name: 'flow-graph',
    setup(build) {
      build.onLoad({ filter: /\.node$/ }, ({ path }) => {
        const { name, folder } = packageFolder(path) ?? { name: path, folder: path };
        return { errors: [{ detail: unbundlable(name, folder, `${path} is a native addon`) }] };
      });
      build.onLoad({ filter: /\.([cm]?[jt]s|[jt]sx|json)$/ }, async ({ path }) => ({
        contents: read(path, await readFile(path, 'utf8')),
        loader: LOADERS[extname(path)]!,
      }));
      build.onResolve({ filter: /^millrace($|\/)/ }, ({ path }) => ({ path: `${OWN_SCHEME}${path}`, external: true }));
      build.onResolve({ filter: /^zod($|\/)/ }, async (args) => {
        if (args.pluginData === ASKED) return undefined;
        const found = await resolved(build, args);
        if (found.errors.length > 0 || packageFolder(found.path)?.folder === ownZod())
          return { path: `${OWN_SCHEME}${args.path}`, external: true };
        return undefined;
      });
      build.onResolve({ filter: /^\.{0,2}\// }, async (args): Promise<OnResolveResult | undefined> => {
        if (args.pluginData === ASKED || args.kind === 'entry-point') return undefined;
        const { path } = await resolved(build, args);
        const own = ownPath(path);
        return own === undefined ? undefined : { path: `${OWN_SCHEME}./${own}`, external: true };
      });
    },
  };
}

function resolved(build: PluginBuild, { path, importer, namespace, resolveDir, kind }: OnResolveArgs) {
  return build.resolve(path, { importer, namespace, resolveDir, kind, pluginData: ASKED });
}

/** `src/index` for the file of that module, wherever it was compiled to; undefined for a file that is not this package's code. */
function ownPath(file: string): string | undefined {
  for (const folder of OWN_FOLDERS) {
    const path = relative(folder, file).split(sep).join('/');
    if (/^(src|cluster)\//.test(path)) return path.replace(/\.(ts|js)$/, '');
  }
  return undefined;
}
