import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BuildOptions } from 'esbuild';
import { COMPILED } from './bundle.ts';
import { build } from './esbuild.ts';
import { graphPlugin } from './graph.ts';

/** A file that a flow imports. */
export interface SourceFile {
  path: string;
  text: string;
}

const COMMON = {
  ...{ bundle: true, splitting: true },
  ...({ platform: 'node', format: 'esm', target: 'node20.12', logLevel: 'silent', legalComments: 'none' } as const),
} satisfies BuildOptions;

/** Every file that the entries import, their packages' included, as it is now. */
export async function sourcesOf(entries: readonly string[]): Promise<SourceFile[]> {
  const texts = new Map<string, string>();
  const plugin = graphPlugin((path, text) => {
    texts.set(path, text);
    return text;
  });
  await build({ ...COMMON, entryPoints: [...entries], outdir: '/', absWorkingDir: '/', plugins: [plugin] });
  return [...texts].map(([path, text]) => ({ path, text })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Declared once in every compiled file: where the source of a module would lie, by its path in the folder of the bundle's code. */
const BANNER = `import { createRequire as __millraceRequire } from 'node:module';
import { dirname as __millraceDirname } from 'node:path';
import { fileURLToPath as __millracePath } from 'node:url';
const require = __millraceRequire(import.meta.url);
const __millraceAt = (path) => {
  const url = new URL('../' + path, import.meta.url).href;
  const filename = __millracePath(url);
  return { url, filename, dirname: __millraceDirname(filename) };
};`;

/** What a module says of itself, and the variable of its own that it becomes. */
const SELF = {
  'import.meta.url': '__millraceUrl',
  'import.meta.filename': '__millraceFile',
  'import.meta.dirname': '__millraceFolder',
  __filename: '__millraceFile',
  __dirname: '__millraceFolder',
};

/**
 * Compiles entries with all they import, except what plugin `flow-graph` leaves outside.
 * @param root - folder that has every source; nothing in the result depends on where it is
 * @returns text of each file by its path relative to `root`, and the paths of the entries in their order
 */
export async function compile(
  entries: readonly string[],
  sources: readonly SourceFile[],
  root: string,
): Promise<{ files: Map<string, string>; entries: string[] }> {
  const texts = new Map(sources.map(({ path, text }) => [path, text]));
  const plugin = graphPlugin((path, text) => withSelf(path, texts.get(path) ?? text, root));
  const names = entries.map((_, index) => (index === 0 ? 'flow' : `reward-${index}`));
  const outputs = await build({
    ...COMMON,
    ...{ absWorkingDir: root, outdir: join(root, COMPILED), chunkNames: 'chunk-[hash]', outExtension: { '.js': '.mjs' } },
    ...{ sourcemap: 'inline' as const, sourcesContent: false, banner: { js: BANNER }, define: SELF, plugins: [plugin] },
    entryPoints: entries.map((path, index) => ({ in: path, out: names[index]! })),
  });
  const files = new Map(outputs.map(({ path, text }) => [inFolder(root, path), text]));
  return { files, entries: names.map((name) => `${COMPILED}/${name}.mjs`) };
}

/** The text with the variables of {@link SELF}, on its first line: the others keep their numbers. */
function withSelf(path: string, text: string, root: string): string {
  if (extname(path) === '.json' || !/\bimport\.meta\b|\b__(file|dir)name\b/.test(text)) return text;
  const at = JSON.stringify(inFolder(root, path).split('/').map(encodeURIComponent).join('/'));
  const self = `const { url: __millraceUrl, filename: __millraceFile, dirname: __millraceFolder } = __millraceAt(${at});`;
  return text.startsWith('#!') ? text.replace('\n', `\n${self}`) : self + text;
}

/** A path relative to a folder that has it, with `/`. */
export function inFolder(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/');
}

/** Files that a module names next to itself, `new URL('./data.json', import.meta.url)`. */
export function assetsOf({ path, text }: SourceFile): string[] {
  const named = text.matchAll(/new\s+URL\(\s*(['"`])(\.{1,2}\/[^'"`$]*[^'"`$/])\1\s*,\s*import\.meta\.url\s*\)/g);
  return [...named].map(([, , path_]) => fileURLToPath(new URL(path_!, pathToFileURL(path))));
}

/** The innermost folder that has all of these files. */
export function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  while (!paths.every((path) => path.startsWith(folder === '/' ? folder : folder + sep))) folder = dirname(folder);
  return folder;
}
