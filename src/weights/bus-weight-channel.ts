import { POLICIES, WEIGHTS } from '../protocol/names.ts';
import { weightChunkSubject, weightManifestSubject, weightsFilter } from '../protocol/subjects.ts';
import { create, equals } from '@bufbuild/protobuf';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { BlobSchema } from '../gen/millrace/v1/weights_pb.ts';
import type { Blob, WeightManifest } from '../gen/millrace/v1/weights_pb.ts';
import type { Bus, KeyValue } from '../bus/bus.ts';
import { SharedWatch } from '../bus/shared-watch.ts';
import { checkKey } from '../bus/subject.ts';
import { randomId } from '../random/id.ts';
import type { Random } from '../random/random.ts';
import { BLOB_PARTS, type BlobPart, type VersionBlobs, type WeightChannel } from './weight-channel.ts';
import { Assembly, chunkCount, blobDigest, windowed } from './chunks.ts';
import { decodeManifest, encodeManifest } from './manifest.ts';

/** Up to so many chunks are fetched one by one. */
const FEW_CHUNKS = 4;

/** Options of {@link BusWeightChannel}. */
export interface BusWeightChannelOptions {
  clock: Clock;
  /** Draws what tells one attempt to publish from another. */
  random: Random;
  /** Bytes of a chunk. Default 786_432 (768 KiB), so that a message with its headers stays under 1 MB. */
  chunkBytes?: number;
  /** Chunks published or fetched at the same time. Default 8. */
  window?: number;
  /** Bound of one fetch, in ms. Default 60_000. */
  fetchTimeoutMs?: number;
}

/**
 * Weights over the bus.
 *
 * Chunks lie on `weights.<job>.<version>.<part>-<digest>.<index>`, digest being the first 12 hex digits of the blob's
 * SHA-256: a writer that lost its lease without knowing cannot touch the chunks of another's commit, unless they are the
 * same bytes. The newest manifest is the value of the key `<job>` in the bucket `policies`, written last by compare-and-set:
 * that is the commit. A commit first copies its predecessor to `weights.<job>.<version>.manifest`, so only manifests that
 * were committed are ever found there.
 */
export class BusWeightChannel implements WeightChannel {
  private readonly bus: Bus;
  private readonly policies: KeyValue;
  private readonly watches: SharedWatch;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly chunkBytes: number;
  private readonly window: number;
  private readonly fetchTimeoutMs: number;

  constructor(bus: Bus, options: BusWeightChannelOptions) {
    this.bus = bus;
    this.policies = bus.kv(POLICIES);
    this.watches = new SharedWatch(this.policies);
    this.clock = options.clock;
    this.random = options.random;
    this.chunkBytes = options.chunkBytes ?? 768 * 1024;
    this.window = options.window ?? 8;
    this.fetchTimeoutMs = options.fetchTimeoutMs ?? 60_000;
    if (!(Number.isInteger(this.chunkBytes) && this.chunkBytes > 0)) {
      throw new MillraceError('invalid_argument', 'a chunk has at least one byte', { field: 'chunkBytes' });
    }
  }

  async commit(manifest: WeightManifest, blobs: VersionBlobs, revision: number): Promise<number> {
    const { job, version } = manifest;
    checkJob(job);
    const previous = await this.latest(job);
    if ((previous?.revision ?? 0) !== revision) throw conflict(job, revision, previous?.revision ?? 0);
    if (previous !== undefined && version <= previous.manifest.version) {
      throw new MillraceError('invalid_argument', `job ${job} is at version ${previous.manifest.version} already`, {
        field: 'version',
      });
    }
    // Chunks of an equal blob may have been deleted since: an id that was used before would be dropped as a duplicate.
    const attempt = randomId(this.random);
    manifest.weights = await this.put(manifest, 'weights', blobs.weights, attempt);
    manifest.optimizer = await this.put(manifest, 'optimizer', blobs.optimizer, attempt);
    manifest.average = blobs.average && (await this.put(manifest, 'average', blobs.average, attempt));
    manifest.exploration = blobs.exploration && (await this.put(manifest, 'exploration', blobs.exploration, attempt));
    if (previous !== undefined) {
      const subject = weightManifestSubject({ job, version: previous.manifest.version });
      await this.bus.publish(subject, encodeManifest(previous.manifest), { id: `${subject}:${attempt}` });
    }
    return this.write(job, encodeManifest(manifest), revision);
  }

  async amend(manifest: WeightManifest, revision: number): Promise<number> {
    const { job, version } = manifest;
    checkJob(job);
    const newest = await this.latest(job);
    if (newest?.revision !== revision) throw conflict(job, revision, newest?.revision ?? 0);
    if (newest.manifest.version !== version) {
      throw new MillraceError(
        'invalid_argument',
        `job ${job} is at version ${newest.manifest.version}: only that can be amended`,
        {
          field: 'version',
        },
      );
    }
    for (const part of BLOB_PARTS) {
      if (!manifest[part] && !newest.manifest[part]) continue;
      if (!sameBlob(manifest[part], newest.manifest[part])) {
        throw new MillraceError('invalid_argument', `amending changes no blobs: commit a new version instead`, { field: part });
      }
    }
    return this.write(job, encodeManifest(manifest), revision);
  }

  async republish(manifest: WeightManifest, blobs: VersionBlobs): Promise<number> {
    const { job, version } = manifest;
    const newest = await this.latest(job);
    if (newest !== undefined && newest.manifest.version !== version) throw conflict(job, 0, newest.revision);
    const attempt = randomId(this.random);
    for (const part of BLOB_PARTS) {
      const [blob, data] = [manifest[part], blobs[part]];
      if (blob === undefined || data === undefined) continue;
      if (!sameBlob(await this.put(manifest, part, data, attempt), blob))
        throw new MillraceError('invalid_argument', `these are not the ${part} of version ${version} of ${job}`, { field: part });
    }
    return newest?.revision ?? this.write(job, encodeManifest(manifest), 0);
  }

  async latest(job: string): Promise<{ manifest: WeightManifest; revision: number } | undefined> {
    checkJob(job);
    const entry = await this.policies.get(job);
    return entry === undefined ? undefined : { manifest: decodeManifest(entry.value, job), revision: entry.revision };
  }

  watch(
    job: string,
    handler: (manifest: WeightManifest) => void,
    onUnreadable: (error: MillraceError) => void = () => {},
  ): Promise<() => void> {
    checkJob(job);
    return this.watches.watch(job, ({ value }) => {
      if (value === undefined) return;
      let manifest: WeightManifest;
      try {
        manifest = decodeManifest(value, job);
      } catch (thrown) {
        onUnreadable(MillraceError.from(thrown));
        return;
      }
      handler(manifest);
    });
  }

  async manifest(job: string, version: number): Promise<WeightManifest | undefined> {
    const newest = (await this.latest(job))?.manifest;
    if (newest === undefined || newest.version <= version) return newest?.version === version ? newest : undefined;
    const stored = await this.bus.last(WEIGHTS, weightManifestSubject({ job, version }));
    return stored === undefined ? undefined : decodeManifest(stored.data, job);
  }

  async fetch(manifest: WeightManifest, part: BlobPart): Promise<Uint8Array> {
    const blob = manifest[part];
    const name = `${part} of ${manifest.job} version ${manifest.version}`;
    if (blob === undefined)
      throw new MillraceError('invalid_argument', `the manifest says nothing of the ${name}`, { field: part });
    const assembly = new Assembly(Number(blob.bytes), blob.chunks, name);
    let [ended, stop] = [false, (): void => {}];
    const late = new Promise<never>((_, reject) => {
      const problem = `${name} did not come within ${this.fetchTimeoutMs} ms`;
      stop = this.clock.after(this.fetchTimeoutMs, () => reject(new MillraceError('deadline_exceeded', problem)));
    });
    const work = this.collect(manifest, part, assembly, () => ended);
    try {
      await Promise.race([work, late]);
    } finally {
      ended = true;
      stop();
      work.catch(() => {});
    }
    if (assembly.missing > 0) {
      throw new MillraceError(
        'not_found',
        `${name} is no longer kept: ${assembly.missing} of ${blob.chunks} chunks are gone; use a newer version`,
      );
    }
    return assembly.finish(blob.sha256);
  }

  /** Few chunks are asked for one by one, which takes one round trip; many come over a consumer, twice as fast. */
  private async collect(manifest: WeightManifest, part: BlobPart, assembly: Assembly, ended: () => boolean): Promise<void> {
    const blob = manifest[part]!;
    if (blob.chunks <= FEW_CHUNKS) {
      await windowed(blob.chunks, this.window, async (index) => {
        const chunk = await this.bus.last(WEIGHTS, chunkSubject(manifest, part, blob.sha256, index));
        if (chunk !== undefined) assembly.add(index, chunk.data);
      });
      return;
    }
    for await (const chunk of this.bus.read(WEIGHTS, chunkSubject(manifest, part, blob.sha256, '*'))) {
      if (ended()) return;
      assembly.add(Number(chunk.subject.slice(chunk.subject.lastIndexOf('.') + 1)), chunk.data);
    }
  }

  async drop(job: string, version: number): Promise<void> {
    checkJob(job);
    await this.bus.purge(WEIGHTS, weightsFilter({ job, version }));
  }

  /** Deletes all that is kept of a job, its newest manifest first: afterwards it can begin again at any version. */
  async forget(job: string): Promise<void> {
    checkJob(job);
    await this.policies.delete(job);
    await this.bus.purge(WEIGHTS, weightsFilter({ job }));
  }

  private async write(job: string, value: Uint8Array, revision: number): Promise<number> {
    try {
      return revision === 0 ? await this.policies.create(job, value) : await this.policies.update(job, value, revision);
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code === 'already_exists' || error.code === 'aborted') throw conflict(job, revision, undefined, error);
      throw error;
    }
  }

  private async put(manifest: WeightManifest, part: BlobPart, data: Uint8Array, attempt: string): Promise<Blob> {
    const sum = blobDigest(data);
    const chunks = chunkCount(data.byteLength, this.chunkBytes);
    await windowed(chunks, this.window, async (index) => {
      const subject = chunkSubject(manifest, part, sum, index);
      const chunk = data.subarray(index * this.chunkBytes, (index + 1) * this.chunkBytes);
      // The subject says the digest of the blob: hashing every chunk again would tell nothing more.
      await this.bus.publish(subject, chunk, { id: `${subject}:${attempt}`, content: subject });
    });
    return create(BlobSchema, { chunks, bytes: BigInt(data.byteLength), sha256: sum });
  }
}

function sameBlob(a: Blob | undefined, b: Blob | undefined): boolean {
  return a !== undefined && b !== undefined && equals(BlobSchema, a, b);
}

function chunkSubject(at: WeightManifest, part: BlobPart, sum: Uint8Array, index: number | '*'): string {
  return weightChunkSubject(at, part, Buffer.from(sum.subarray(0, 6)).toString('hex'), index);
}

/** A job's name is one token of a subject. */
function checkJob(job: string): void {
  checkKey(job);
  if (job.includes('.')) throw new MillraceError('invalid_argument', `not a job name: ${JSON.stringify(job)}`, { field: 'job' });
}

function conflict(job: string, revision: number, newest?: number, cause?: unknown): MillraceError {
  const found = newest === undefined ? '' : ` (it is ${newest})`;
  return new MillraceError(
    'aborted',
    `manifest of ${job} is not at revision ${revision} any more${found}: someone else committed`,
    {
      cause,
      field: 'revision',
      retryable: false,
    },
  );
}
