import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether this process runs the TypeScript sources (through tsx) or what `npm run build` made of them. */
export const FROM_SOURCES = import.meta.url.endsWith('.ts');

/** Folder of this package: a checkout, or `node_modules/millrace` of a project. */
export const PACKAGE_FOLDER = packageFolder(dirname(fileURLToPath(import.meta.url)));

/** Arguments for Node.js with which another process can load our modules: none for a build. */
export function loaderArguments(): string[] {
  return FROM_SOURCES ? ['--import', import.meta.resolve('tsx')] : [];
}

/** The command that runs one of our npm scripts, for messages. */
export function scriptCommand(script: string): string {
  return FROM_SOURCES ? `npm run ${script}` : `npm --prefix ${PACKAGE_FOLDER} run ${script}`;
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
