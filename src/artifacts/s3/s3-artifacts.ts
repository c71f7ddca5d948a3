import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { MillraceError } from '../../errors.ts';
import { namesIn, type Files } from '../../files/files.ts';
import { nodeFiles } from '../../files/node-files.ts';
import {
  checkDigest,
  damagedArtifact,
  missingArtifact,
  type ArtifactContent,
  type ArtifactInfo,
  type ArtifactStore,
} from '../artifacts.ts';
import { sha256 } from '../digest.ts';
import { parseS3Url, type S3Address } from './address.ts';
import { isNoSuchKey } from './errors.ts';
import { S3Objects, type S3Library } from './objects.ts';
import { expectedETag, inParts, partBytes } from './parts.ts';

/** Times that a download goes on after its connection broke. */
const RESUMES = 4;

/** Options of {@link openS3Artifacts}. */
export interface S3Options extends S3Address {
  /** Folder for content on its way whose digest is not known yet; absolute, made when it is needed. */
  spool: string;
  /** Of the spool. Default: those of this machine. */
  files?: Files;
  /** Longest time to connect, in ms. Default 5_000. */
  connectMs?: number;
  /** Longest time without a byte, in ms. Default 30_000. */
  silentMs?: number;
  /** Tries of each call, with growing pauses. Default 5. */
  attempts?: number;
  /** Default: from the standard environment: variables, shared files, or the role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  /** Bytes of a part of large content. Default 16 MiB; S3 takes 5 MiB and more. */
  partBytes?: number;
}

/**
 * Artifacts in a bucket of an S3 store, for machines that share no folder: objects `<prefix><digest>`.
 *
 * @throws MillraceError `failed_precondition` where the package `@aws-sdk/client-s3` is not installed
 */
export async function openS3Artifacts(options: S3Options): Promise<S3Artifacts> {
  const place = parseS3Url(options.url);
  let library: S3Library;
  try {
    library = await import('@aws-sdk/client-s3');
  } catch (cause) {
    throw new MillraceError(
      'failed_precondition',
      'artifacts.url: S3 needs the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3',
      {
        cause,
        field: 'artifacts.url',
      },
    );
  }
  const { endpoint, region, connectMs = 5_000, silentMs = 30_000, attempts = 5, credentials } = options;
  const client = new library.S3Client({
    region: region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    // Names of buckets are no host names anywhere but at Amazon.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    maxAttempts: attempts,
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: silentMs,
      socketTimeout: silentMs,
      throwOnRequestTimeout: true,
    },
    // Content is checked by its SHA-256; other stores do not know the checksums that Amazon has added.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  return new S3Artifacts(new S3Objects(library, client, place), options);
}

/** See {@link openS3Artifacts}. */
export class S3Artifacts implements ArtifactStore {
  readonly #objects: S3Objects;
  readonly #spool: string;
  readonly #files: Files;
  readonly #partBytes: number | undefined;

  constructor(objects: S3Objects, { spool, files = nodeFiles, partBytes: bytes }: S3Options) {
    this.#objects = objects;
    this.#spool = spool;
    this.#files = files;
    this.#partBytes = bytes;
  }

  async put(content: ArtifactContent): Promise<ArtifactInfo> {
    if (content instanceof Uint8Array) {
      // A copy: what the caller changes meanwhile must not be uploaded under this digest.
      const bytes = Buffer.from(content);
      return this.#put(sha256(bytes), bytes.byteLength, () => [bytes]);
    }
    const path = join(this.#spool, this.#files.uniqueName());
    await this.#files.makeFolder(this.#spool, 0o700);
    try {
      const { digest, size } = await this.#writeSpool(path, content);
      return await this.#put(digest, size, () => this.#files.pieces(path));
    } finally {
      await this.#files.remove(path);
    }
  }

  async *get(digest: string): AsyncIterable<Uint8Array> {
    const objects = this.#objects;
    const key = this.#key(digest);
    const hash = createHash('sha256');
    let offset = 0;
    for (let broken = 0; ; broken += 1) {
      try {
        for await (const piece of await objects.open(key, offset)) {
          hash.update(piece);
          offset += piece.byteLength;
          yield piece;
        }
        break;
      } catch (thrown) {
        if (isNoSuchKey(thrown)) throw missingArtifact(digest, objects.where);
        const error = objects.error(thrown, `artifact ${digest} cannot be read`);
        if (!error.retryable || broken === RESUMES) throw error;
      }
    }
    if (hash.digest('hex') !== digest) throw damagedArtifact(digest, `${objects.where}${digest}`);
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#objects.head(this.#key(digest))) !== undefined;
  }

  async *list(): AsyncIterable<ArtifactInfo> {
    for await (const { key, size, putAt } of this.#objects.list()) {
      const digest = key.slice(this.#objects.place.prefix.length);
      if (/^[0-9a-f]{64}$/.test(digest)) yield { digest, size, putAt };
    }
  }

  /** A put between the look at the object's time and its deletion, one round trip later, is lost: callers leave what was put an hour ago or less. */
  async remove(digest: string, { putBefore = Infinity }: { putBefore?: number } = {}): Promise<boolean> {
    const key = this.#key(digest);
    const found = await this.#objects.head(key);
    if (found === undefined || found.putAt >= putBefore) return false;
    await this.#objects.remove(key);
    return true;
  }

  async removeDrafts(before: number): Promise<void> {
    for (const name of await namesIn(this.#files, this.#spool)) {
      const path = join(this.#spool, name);
      const { mtimeMs } = await this.#files.stat(path).catch(() => ({ mtimeMs: Infinity }));
      if (mtimeMs < before) await this.#files.remove(path);
    }
    await this.#objects.endUploads(before);
  }

  /** Ends the connections. */
  close(): void {
    this.#objects.close();
  }

  #key(digest: string): string {
    return `${this.#objects.place.prefix}${checkDigest(digest)}`;
  }

  /** @param pieces - the content, as often as it is asked for */
  async #put(
    digest: string,
    size: number,
    pieces: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<ArtifactInfo> {
    const objects = this.#objects;
    const key = this.#key(digest);
    const bytes = partBytes(size, this.#partBytes);
    const parts = (): AsyncIterable<Uint8Array> => inParts(pieces(), bytes);
    const there = await objects.head(key);
    // What is there and undamaged is put again by making it as new; large content is sent again.
    const same = there?.size === size && size <= bytes && there.etag === (await expectedETag(parts()));
    if (!same || !(await objects.renew(key))) {
      if (size > bytes) await objects.putInParts(key, parts());
      else for await (const whole of parts()) await objects.put(key, whole);
    }
    return { digest, size, putAt: (await objects.head(key))?.putAt ?? 0 };
  }

  async #writeSpool(path: string, content: AsyncIterable<Uint8Array>): Promise<{ digest: string; size: number }> {
    const hash = createHash('sha256');
    let size = 0;
    const file = await this.#files.create(path, 0o600);
    try {
      for await (const piece of content) {
        hash.update(piece);
        size += piece.byteLength;
        await file.write(piece);
      }
    } finally {
      await file.close();
    }
    return { digest: hash.digest('hex'), size };
  }
}
