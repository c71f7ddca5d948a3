import { existsSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether this process runs the TypeScript sources (through tsx) or a build of them. */
export const FROM_SOURCES = import.meta.url.endsWith('.ts');

/** Folder of this package: a checkout, or `node_modules/millrace` of a project. */
export const PACKAGE_FOLDER = packageFolder(dirname(fileURLToPath(import.meta.url)));

/** Folder with the `src` and `cluster` that this process runs: the package's own, its `dist`, or a build of a checkout in a cache. */
export const CODE_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));

/** Whether the package is a checkout, which has the sources. */
const IS_CHECKOUT = existsSync(join(PACKAGE_FOLDER, 'cluster'));

/**
 * How another process can run one of our modules: its file, and the arguments of Node.js that load it.
 *
 * @param build - folder of a build to take it from where this process runs from the sources. Default: the one that the tests have made
 */
export function entryOf(module: URL, build = process.env['MILLRACE_BUILD']): { file: string; nodeArguments: string[] } {
  const file = fileURLToPath(module);
  if (!FROM_SOURCES) return { file, nodeArguments: [] };
  const built = build && join(build, relative(CODE_FOLDER, file).replace(/\.ts$/, '.js'));
  return built ? { file: built, nodeArguments: [] } : { file, nodeArguments: ['--import', import.meta.resolve('tsx')] };
}

/** The command that runs one of our npm scripts, for messages. */
export function scriptCommand(script: string): string {
  return IS_CHECKOUT ? `npm run ${script}` : `npm --prefix ${PACKAGE_FOLDER} run ${script}`;
}

/**
 * Folders in which the packages that we import lie: our own `node_modules`, and, where we are a dependency ourselves, those that we
 * lie in.
 */
export function dependencyFolders(): string[] {
  const folders = [join(PACKAGE_FOLDER, 'node_modules')];
  const parts = PACKAGE_FOLDER.split(sep);
  for (const [at, part] of parts.entries()) if (part === 'node_modules') folders.push(parts.slice(0, at + 1).join(sep));
  return folders.filter((folder) => existsSync(folder));
}

function packageFolder(from: string): string {
  for (let at = from; dirname(at) !== at; at = dirname(at)) if (existsSync(join(at, 'package.json'))) return at;
  throw new Error(`no package.json above ${from}: the installation is damaged; install the package again`);
}
