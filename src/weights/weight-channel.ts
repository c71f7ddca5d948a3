import type { MillraceError } from '../errors.ts';
import type { WeightManifest } from '../gen/millrace/v1/weights_pb.ts';

/** Blobs of a policy version, by their field of the manifest. */
export type BlobPart = 'weights' | 'optimizer' | 'average' | 'exploration';

/** All of them. Only the first two are in every version. */
export const BLOB_PARTS: readonly BlobPart[] = ['weights', 'optimizer', 'average', 'exploration'];

/** What a commit publishes. */
export interface VersionBlobs {
  weights: Uint8Array;
  optimizer: Uint8Array;
  /** Moving average of the weights; jobs without averaging, and versions nothing was learned for, have none. */
  average?: Uint8Array | undefined;
  /** What exploration knows (src/explore/state.ts); jobs without exploration have none. */
  exploration?: Uint8Array | undefined;
}

/** Port: how policy versions travel. Writing the manifest (compare-and-set) is the commit of a round. */
export interface WeightChannel {
  /**
   * Publishes the blobs in chunks, then the manifest. The fields of the manifest that describe the blobs are filled in
   * here; those of the average and of exploration stay empty without such a blob.
   * `revision` is the manifest revision this commit replaces (0 = none yet): `aborted` when someone else committed.
   * Returns the new revision.
   */
  commit(manifest: WeightManifest, blobs: VersionBlobs, revision: number): Promise<number>;
  /**
   * Replaces the newest manifest by one with the same version and blobs and a new ledger (compare-and-set on `revision`,
   * `aborted` when someone else committed). Returns the new revision. Watchers are called.
   */
  amend(manifest: WeightManifest, revision: number): Promise<number>;
  /**
   * Publishes a committed version again, for whoever committed it and still has its blobs: the chunks, and the manifest where there is
   * none any more (they were deleted). Returns the manifest's revision; `aborted` when there is another version.
   */
  republish(manifest: WeightManifest, blobs: VersionBlobs): Promise<number>;
  /** Newest committed manifest. `data_loss` or `failed_precondition` (a newer version wrote it) when it cannot be read. */
  latest(job: string): Promise<{ manifest: WeightManifest; revision: number } | undefined>;
  /**
   * Calls back with the newest manifest now and after every commit; with the error of {@link latest} in place of one that cannot be
   * read. Returns a function that stops it.
   */
  watch(
    job: string,
    handler: (manifest: WeightManifest) => void,
    onUnreadable?: (error: MillraceError) => void,
  ): Promise<() => void>;
  /** Manifest of one version, while it is kept. */
  manifest(job: string, version: number): Promise<WeightManifest | undefined>;
  /** Fetches one blob and checks its SHA-256: `not_found` when the version was purged, `data_loss` when the sum differs. */
  fetch(manifest: WeightManifest, part: BlobPart): Promise<Uint8Array>;
  /** Deletes the chunks of the version. */
  drop(job: string, version: number): Promise<void>;
}
