import type { Json } from '../define.ts';

/** A module as it was when the snapshot was taken. */
export interface SnapshotModule {
  format: 'module' | 'json';
  /** What is run: JavaScript with a source map, or the text of a JSON file. */
  source: string;
  /** Which file each relative import names, by specifier as it is written. Packages are not in it. */
  imports: Readonly<Record<string, string>>;
}

/**
 * The code of a job as it was when the job was created, by absolute path. Modules are run from here, whatever happens to their files;
 * what can only be loaded from where it lies is compared with its digest before it is used.
 */
export interface CodeSnapshot {
  /** SHA-256 over everything below, in hex: two jobs with the same digest run the same. */
  digest: string;
  modules: Readonly<Record<string, SnapshotModule>>;
  /** SHA-256 of files that are not run from here: CommonJS modules, and what modules name with `new URL(…, import.meta.url)`. */
  files: Readonly<Record<string, string>>;
  /** Version of each package, by the folder it was found in. */
  packages: Readonly<Record<string, string>>;
  /** The job's `data`; absent where it has none. */
  data?: { path: string; digest: string };
}

/** Query parameter of the URL of a module that comes from a snapshot: the snapshot's file. Known to resolve-hook.mjs as well. */
export const SNAPSHOT_PARAMETER = 'millrace-code';

/** Parts of the digest, in a fixed order. */
export function digestParts({ modules, files, packages, data }: Omit<CodeSnapshot, 'digest'>): Json {
  const sorted = <V>(record: Readonly<Record<string, V>>): [string, V][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    sorted(modules).map(([path, { format, source, imports }]) => [path, format, source, sorted(imports)]),
    sorted(files),
    sorted(packages),
    data === undefined ? null : [data.path, data.digest],
  ];
}
