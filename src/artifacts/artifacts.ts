import { MillraceError } from '../errors.ts';

/** An artifact as a store lists it. */
export interface ArtifactInfo {
  /** SHA-256 of the content, 64 lower-case hex digits: the artifact's name. */
  digest: string;
  /** Bytes. */
  size: number;
  /** When it was last put, in Unix milliseconds: putting content that is there already counts. */
  putAt: number;
}

/** What {@link ArtifactStore.put} takes: bytes at hand, or pieces in order. */
export type ArtifactContent = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Immutable pieces of content under their SHA-256: bundles of flows, tensors of checkpoints. Content goes in and out as a stream, so that a checkpoint of
 * gigabytes never has to be in memory at once.
 *
 * Every method throws `invalid_argument` for a name that is no digest.
 */
export interface ArtifactStore {
  /** Stores content. It is there completely when this resolves, also after a crash of the machine; until then not at all. */
  put(content: ArtifactContent): Promise<ArtifactInfo>;
  /**
   * The content, in pieces. It is checked while it is read: the iteration throws `data_loss` instead of ending when the content is not
   * what its name says, so nothing read so far may be used before the end. `not_found` when there is none.
   */
  get(digest: string): AsyncIterable<Uint8Array>;
  has(digest: string): Promise<boolean>;
  /** In no particular order. */
  list(): AsyncIterable<ArtifactInfo>;
  /**
   * Removes an artifact; one that is not there is no error.
   * @param putBefore - leaves one that was put at this time or later (Unix milliseconds), also where that happens meanwhile. Default: removes it anyway.
   * @returns whether it was removed
   */
  remove(digest: string, options?: { putBefore?: number }): Promise<boolean>;
  /** Deletes what writers have left that ended in the middle, where that can be and is older than `before` (Unix milliseconds). */
  removeDrafts?(before: number): Promise<void>;
  /** Path of the content where the store is a folder of this machine: a link to it costs no space. Nothing may write there. */
  pathOf?(digest: string): string;
}

/** Refuses what is no SHA-256 in hex, before it becomes part of a path. */
export function checkDigest(digest: string): string {
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw new MillraceError(
    'invalid_argument',
    `artifact ${JSON.stringify(digest.slice(0, 80))}: expected a SHA-256 of 64 lower-case hex digits`,
    { field: 'digest' },
  );
}

/** The whole content of an artifact, checked. */
export async function artifactBytes(store: Pick<ArtifactStore, 'get'>, digest: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(digest)) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** `not_found` in the words of every store. */
export function missingArtifact(digest: string, where: string): MillraceError {
  return new MillraceError('not_found', `artifact ${digest} is not in ${where}`, { field: 'digest' });
}

/** `data_loss` in the words of every store. */
export function damagedArtifact(digest: string, where: string): MillraceError {
  return new MillraceError(
    'data_loss',
    `artifact ${digest} is damaged: the SHA-256 of ${where} is another one; put the same content again`,
    { field: 'digest' },
  );
}
