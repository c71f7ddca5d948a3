import type { Clock } from '../clock/clock.ts';
import { checkDigest, damagedArtifact, missingArtifact, type ArtifactInfo, type ArtifactStore } from './artifacts.ts';
import { sha256 } from './digest.ts';

const WHERE = 'the memory of this process';

/** Artifacts in the memory of this process. */
export class MemoryArtifacts implements ArtifactStore {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #contents = new Map<string, { bytes: Uint8Array; putAt: number }>();

  /** @param clock - of the times of puts */
  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  async put(content: Uint8Array | AsyncIterable<Uint8Array>): Promise<ArtifactInfo> {
    const pieces: Uint8Array[] = [];
    if (content instanceof Uint8Array) pieces.push(content);
    else for await (const piece of content) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    const digest = sha256(bytes);
    const putAt = this.#clock.now();
    this.#contents.set(digest, { bytes, putAt });
    return { digest, size: bytes.byteLength, putAt };
  }

  async *get(digest: string): AsyncIterable<Uint8Array> {
    const found = this.#contents.get(checkDigest(digest));
    if (found === undefined) throw missingArtifact(digest, WHERE);
    if (sha256(found.bytes) !== digest) throw damagedArtifact(digest, WHERE);
    yield Uint8Array.from(found.bytes);
  }

  async has(digest: string): Promise<boolean> {
    return this.#contents.has(checkDigest(digest));
  }

  async *list(): AsyncIterable<ArtifactInfo> {
    for (const [digest, { bytes, putAt }] of [...this.#contents]) yield { digest, size: bytes.byteLength, putAt };
  }

  async remove(digest: string, { putBefore = Infinity }: { putBefore?: number } = {}): Promise<boolean> {
    const found = this.#contents.get(checkDigest(digest));
    return found !== undefined && found.putAt < putBefore && this.#contents.delete(digest);
  }

  /** For tests of damage: changes the content behind the name. */
  damage(digest: string): void {
    const found = this.#contents.get(digest);
    if (found) this.#contents.set(digest, { ...found, bytes: Buffer.concat([found.bytes, Buffer.from('x')]) });
  }
}
