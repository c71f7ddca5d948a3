import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

/** Folder and version of the package that an import names, from the importing folder upwards; undefined for Node's own and for none. */
export async function packageOf(specifier: string, from: string): Promise<{ folder: string; version: string } | undefined> {
  if (isBuiltin(specifier) || /^([./#]|[a-z][a-z\d+.-]*:)/i.test(specifier)) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, 'node_modules', name);
    const version = await packageVersion(folder);
    if (version !== undefined) return { folder, version };
    if (dirname(at) === at) return undefined;
  }
}

/** Version of the package in a folder; undefined when there is none. */
export async function packageVersion(folder: string): Promise<string | undefined> {
  try {
    return String((JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version?: unknown }).version);
  } catch {
    return undefined;
  }
}
