import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';

/** Packages whose only use is to find or build a native addon. */
const ADDON_HELPERS =
  /^(bindings|node-gyp-build(-optional-packages)?|node-gyp|prebuild-install|@mapbox\/node-pre-gyp|node-pre-gyp|cmake-js)$/;
/** Optional packages that hold an addon for one platform: `@img/sharp-linux-x64`. */
const PLATFORM = /[-/](linux|darwin|win32|freebsd|android)(-|$)/;

/** The innermost package that a file belongs to; undefined for a file of nobody's. */
export function packageFolder(path: string): { name: string; folder: string } | undefined {
  const [, folder, name] = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(path) ?? [];
  return folder === undefined ? undefined : { name: name!, folder };
}

/**
 * Refuses packages that cannot be bundled, by name: those with a native addon, which is compiled for one machine and loaded by its path.
 * @param paths - files that a flow imports
 */
export async function checkPackages(paths: readonly string[]): Promise<void> {
  const folders = new Map(paths.flatMap((path) => packageFolder(path) ?? []).map((found) => [found.folder, found.name]));
  for (const [folder, name] of folders) {
    const reason = await addonReason(folder);
    if (reason !== undefined) throw unbundlable(name, folder, reason);
  }
}

/** What is wrong with a package, and what to do instead. */
export function unbundlable(name: string, folder: string, reason: string): MillraceError {
  return new MillraceError(
    'invalid_argument',
    `package ${name} (${folder}) cannot be bundled with the flow: ${reason}. ` +
      'Use a package without native code, or put it into a service that the tools of the flow call',
    { field: 'flow' },
  );
}

async function addonReason(folder: string): Promise<string | undefined> {
  interface Manifest {
    gypfile?: unknown;
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
  }
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
  if (manifest.gypfile === true) return 'it has a native addon (gypfile)';
  const helper = Object.keys(manifest.dependencies ?? {}).find((name) => ADDON_HELPERS.test(name));
  if (helper !== undefined) return `it has a native addon (it depends on ${helper})`;
  const platform = Object.keys(manifest.optionalDependencies ?? {}).find((name) => PLATFORM.test(name));
  return platform === undefined ? undefined : `it has native code for each platform (${platform})`;
}
