import { MillraceError } from '../../errors.ts';

/** Version of the manifest's layout. */
export const BUNDLE_FORMAT = 1;

/**
 * A flow's code and data, as an artifact: this manifest as JSON. Its digest is the bundle's. Paths are those in the unpacked bundle, relative and with `/`:
 * `code/…` mirrors the folders that the flow's files were in, from the one that has all of them; `data/…` is the job's data.
 */
export interface BundleManifest {
  format: number;
  /** Module that exports the flow. */
  flow: string;
  /** Modules of the job's custom rewards, in the order of its components. */
  rewards: string[];
  /** Where the flow's own source would lie, so that places in it can be named as its author knows them. */
  source: string;
  /** The job's data, a file or a folder; absent where it has none. */
  data?: string;
  /** Digest of each file. */
  files: Record<string, string>;
  /** Those of them that can be executed. */
  executable: string[];
}

/** A bundle on this machine, checked. All paths are absolute. */
export interface UnpackedBundle {
  digest: string;
  folder: string;
  flow: string;
  rewards: readonly string[];
  data: string | undefined;
  /** See {@link BundleManifest.source}. */
  source: string;
}

/** Folder of the flow's files in a bundle. */
export const CODE = 'code';
/** Folder of the job's data in a bundle. */
export const DATA = 'data';
/** Folder in {@link CODE} of what is run. Modules are compiled into it; `import.meta.url` still says where their sources would lie. */
export const COMPILED = '.compiled';

/** Field of errors about a bundle that cannot be loaded: they are `unavailable`, since what is missing can be put back. */
export const CODE_FIELD = 'code';

/** A bundle that cannot be loaded now. */
export function unloadable(problem: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'unavailable',
    `${problem}; put back what the job was created with, or cancel the job and create it anew`,
    { field: CODE_FIELD, cause },
  );
}
