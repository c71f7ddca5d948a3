import { createHash } from 'node:crypto';
import { checkDigest, type ArtifactStore } from '../../src/artifacts/artifacts.ts';
import { MillraceError } from '../../src/errors.ts';
import type { FindMissingArtifactsRequest, UploadArtifactsRequest } from '../../src/gen/millrace/v1/admin_pb.ts';

const MOST_DIGESTS = 10_000;
const MIB = 1024 * 1024;
const MOST_CHUNK_BYTES = MIB;

/** What may be uploaded, in bytes. */
export interface UploadLimits {
  /** Of one artifact. Default 1 GiB. */
  artifact: number;
  /** Of one call. Default 4 GiB. */
  call: number;
}

const DEFAULT_LIMITS: UploadLimits = { artifact: 1024 * MIB, call: 4096 * MIB };

/** The part of the admin API that takes artifacts; each method checks its request. */
export interface ArtifactUploads {
  findMissing(request: FindMissingArtifactsRequest): Promise<{ missing: string[] }>;
  upload(requests: AsyncIterable<UploadArtifactsRequest>): Promise<{ stored: number; bytes: bigint }>;
}

/** Uploads into a store. */
export function artifactUploads(
  store: Pick<ArtifactStore, 'has' | 'put' | 'get'>,
  limits: UploadLimits = DEFAULT_LIMITS,
): ArtifactUploads {
  return {
    async findMissing({ digests }) {
      if (digests.length > MOST_DIGESTS) throw wrong('digests', `has ${digests.length} entries; the most is ${MOST_DIGESTS}.`);
      const missing: string[] = [];
      for (const digest of new Set(digests)) if (!(await isKept(store, checkDigest(digest)))) missing.push(digest);
      return { missing };
    },
    async upload(requests) {
      const parts = requests[Symbol.asyncIterator]();
      let stored = 0;
      let bytes = 0;
      let next = await parts.next();
      while (!next.done) {
        const { part } = next.value;
        if (part.case !== 'header') throw wrong('part', 'is not the header that an artifact begins with.');
        const { digest } = part.value;
        const size = Number(part.value.size);
        checkDigest(digest);
        bytes += size;
        if (size > limits.artifact) throw tooLarge(`artifact ${digest} has ${size} bytes`, limits.artifact);
        if (bytes > limits.call) throw tooLarge(`one call brings ${bytes} bytes`, limits.call);
        const content = contentOf(parts, { digest, size });
        await store.put(content.pieces).catch((thrown: unknown) => {
          throw content.problem() ?? thrown;
        });
        next = content.after();
        stored += 1;
      }
      return { stored, bytes: BigInt(bytes) };
    },
  };
}

/** What is there is put again, which marks it as used now: else it could be collected before a job refers to it. A damaged one is missing. */
async function isKept(store: Pick<ArtifactStore, 'has' | 'put' | 'get'>, digest: string): Promise<boolean> {
  if (!(await store.has(digest))) return false;
  try {
    await store.put(store.get(digest));
    return true;
  } catch (thrown) {
    const { code } = MillraceError.from((thrown as Error).cause ?? thrown);
    if (code === 'data_loss' || code === 'not_found') return false;
    throw thrown;
  }
}

type Step = IteratorResult<UploadArtifactsRequest, unknown>;

/** The content that follows a header, checked before it ends: of what is wrong nothing is stored. */
function contentOf(
  parts: AsyncIterator<UploadArtifactsRequest>,
  { digest, size }: { digest: string; size: number },
): { pieces: AsyncIterable<Uint8Array>; after: () => Step; problem: () => unknown } {
  let step: Step;
  let problem: unknown;
  const read = async function* (): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    let received = 0;
    for (step = await parts.next(); !step.done && step.value.part.case === 'data'; step = await parts.next()) {
      const piece = step.value.part.value;
      if (piece.byteLength > MOST_CHUNK_BYTES)
        throw wrong('data', `has ${piece.byteLength} bytes; the most is ${MOST_CHUNK_BYTES}.`);
      received += piece.byteLength;
      if (received > size) break;
      hash.update(piece);
      yield piece;
    }
    if (received !== size)
      throw wrong('size', `of artifact ${digest} is ${size}, and ${received > size ? 'more' : received} bytes came.`);
    if (hash.digest('hex') !== digest)
      throw wrong('digest', `is ${digest}, and the content that came has another one; upload it again.`);
  };
  const noted = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* read();
    } catch (thrown) {
      problem = thrown;
      throw thrown;
    }
  };
  return { pieces: noted(), after: () => step, problem: () => problem };
}

function tooLarge(what: string, limit: number): MillraceError {
  const rest = 'keep large data in a service or a file that the tools of the flow read';
  return wrong('size', `${what}; the most is ${limit}. Take less data, or ${rest}.`);
}

function wrong(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}
