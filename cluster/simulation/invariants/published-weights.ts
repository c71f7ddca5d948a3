import type { Blob, WeightManifest } from '../../../src/gen/millrace/v1/weights_pb.ts';
import { POLICIES } from '../../../src/protocol/names.ts';
import { decodeManifest } from '../../../src/weights/manifest.ts';
import { floatsFromBytes } from '../../../src/policy/float-bytes.ts';
import type { Check, Fail } from './check.ts';

const CHUNK = /^weights\.[^.]+\.(\d+)\.([a-z]+)-([0-9a-f]{12})\.(\d+)$/;

/** The weights and the optimiser's moments of every version, put together from their chunks. */
export class PublishedWeights implements Check {
  readonly #fail: Fail;
  readonly #chunks = new Map<string, Uint8Array>();
  /** Manifest of each version, as it was committed first. */
  readonly #versions = new Map<number, WeightManifest>();

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  published({ subject, data }: Parameters<NonNullable<Check['published']>>[0]): void {
    const [, version, part, digest, index] = CHUNK.exec(subject) ?? [];
    if (version !== undefined) this.#chunks.set(`${version}/${part}/${digest}/${index}`, data);
  }

  /** A version that is committed can be restored: its chunks were stored before (promise 6). */
  written({ bucket, key, value }: Parameters<NonNullable<Check['written']>>[0]): void {
    if (bucket !== POLICIES || value === undefined) return;
    const manifest = decodeManifest(value, key);
    const { version } = manifest;
    for (const part of ['weights', 'optimizer', 'average'] as const)
      if (manifest[part] !== undefined && this.floats(manifest, part) === undefined)
        this.#fail('committed-is-stored', `version ${version} is committed, and chunks of its ${part} are not stored`);
    if (!this.#versions.has(version)) this.#versions.set(version, manifest);
  }

  /** Weights of a version; undefined while it is not committed. */
  weights(version: number): Float32Array | undefined {
    const manifest = this.#versions.get(version);
    return manifest && this.floats(manifest, 'weights');
  }

  /** Undefined when chunks are missing, and of a part that the version does not have. */
  floats(manifest: WeightManifest, part: 'weights' | 'optimizer' | 'average'): Float32Array | undefined {
    const blob = manifest[part];
    const bytes = blob && this.#bytes(manifest.version, part, blob);
    return bytes && floatsFromBytes(bytes);
  }

  #bytes(version: number, part: string, { chunks, sha256 }: Blob): Uint8Array | undefined {
    const digest = Buffer.from(sha256.subarray(0, 6)).toString('hex');
    const found = Array.from({ length: chunks }, (_, index) => this.#chunks.get(`${version}/${part}/${digest}/${index}`));
    return found.includes(undefined) ? undefined : new Uint8Array(Buffer.concat(found as Uint8Array[]));
  }
}
