import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { artifactBytes, type ArtifactInfo, type ArtifactStore } from './artifacts.ts';

/** A store to test, and a way to damage what is in it. */
export interface ArtifactHarness {
  store: ArtifactStore;
  /** Another user of the same content, as another process is. The store itself where there can be none. */
  other: ArtifactStore;
  /** Changes the content behind a name. */
  damage(digest: string): Promise<void>;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

async function* inPieces(text: string): AsyncIterable<Uint8Array> {
  for (const letter of text) yield bytes(letter);
}

async function all(store: ArtifactStore): Promise<ArtifactInfo[]> {
  const listed: ArtifactInfo[] = [];
  for await (const info of store.list()) listed.push(info);
  return listed.sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

/** What every ArtifactStore must do. Call it inside a test file; one harness is made for each test. */
export function artifactConformance(name: string, open: () => Promise<ArtifactHarness>): void {
  describe(`${name} is an ArtifactStore`, () => {
    let harness: ArtifactHarness;
    let store: ArtifactStore;
    beforeEach(async () => {
      harness = await open();
      store = harness.store;
    });
    afterEach(() => harness.close());

    it('names content by its SHA-256, however it arrives', async () => {
      const info = await store.put(bytes('weights'));
      expect(info).toMatchObject({ digest: digestOf('weights'), size: 7 });
      expect((await store.put(inPieces('weights'))).digest).toBe(info.digest);
      expect(Buffer.from(await artifactBytes(store, info.digest)).toString()).toBe('weights');
      expect((await store.put(bytes(''))).digest).toBe(digestOf(''));
      expect(await artifactBytes(store, digestOf(''))).toHaveLength(0);
    });

    it('keeps what was put when the caller changes its bytes', async () => {
      const given = bytes('before');
      const { digest } = await store.put(given);
      given.fill(0);
      const read = await artifactBytes(store, digest);
      expect(Buffer.from(read).toString()).toBe('before');
      read.fill(0);
      expect(Buffer.from(await artifactBytes(store, digest)).toString()).toBe('before');
    });

    it('gives large content in pieces', async () => {
      const large = Buffer.alloc(5_000_000, 'abc');
      const { digest, size } = await store.put(large);
      expect(size).toBe(large.length);
      expect(large.equals(await artifactBytes(store, digest))).toBe(true);
    });

    it('lists, has and removes', async () => {
      const [a, b] = [await store.put(bytes('a')), await store.put(bytes('bb'))];
      expect((await all(store)).map(({ digest, size }) => [digest, size])).toEqual(
        [a, b].map(({ digest, size }) => [digest, size]).sort(([x], [y]) => (x! < y! ? -1 : 1)),
      );
      expect(await harness.other.has(a.digest)).toBe(true);
      expect(await store.remove(a.digest)).toBe(true);
      expect(await store.remove(a.digest)).toBe(false);
      expect(await store.has(a.digest)).toBe(false);
      await expect(artifactBytes(store, a.digest)).rejects.toMatchObject({ code: 'not_found' });
      expect((await all(store)).map(({ digest }) => digest)).toEqual([b.digest]);
    });

    it('leaves what was put since a time', async () => {
      const { digest, putAt } = await store.put(bytes('new'));
      expect(await store.remove(digest, { putBefore: putAt - 1 })).toBe(false);
      expect(await store.has(digest)).toBe(true);
      const again = await harness.other.put(bytes('new'));
      expect(again.putAt).toBeGreaterThanOrEqual(putAt);
      expect(await store.remove(digest, { putBefore: again.putAt + 1000 })).toBe(true);
    });

    it('takes the same content from many at once', async () => {
      const text = 'x'.repeat(100_000);
      const puts = Array.from({ length: 20 }, (_, i) => (i % 2 ? store : harness.other).put(bytes(text)));
      expect(new Set((await Promise.all(puts)).map(({ digest }) => digest))).toEqual(new Set([digestOf(text)]));
      expect(await all(store)).toHaveLength(1);
      expect(Buffer.from(await artifactBytes(store, digestOf(text))).toString()).toBe(text);
    });

    it('stores nothing when the content breaks off', async () => {
      async function* broken(): AsyncIterable<Uint8Array> {
        yield bytes('half');
        throw new Error('connection lost');
      }
      await expect(store.put(broken())).rejects.toThrow('connection lost');
      expect(await all(store)).toEqual([]);
    });

    it('detects damage, which another put mends', async () => {
      const { digest } = await store.put(bytes('fine'));
      await harness.damage(digest);
      await expect(artifactBytes(store, digest)).rejects.toMatchObject({
        code: 'data_loss',
        message: expect.stringContaining(digest) as string,
      });
      await store.put(bytes('fine'));
      expect(Buffer.from(await artifactBytes(store, digest)).toString()).toBe('fine');
    });

    it('refuses names that are no digests', async () => {
      for (const name of ['', '../../etc/passwd', 'A'.repeat(64), 'a'.repeat(63), `${'a'.repeat(64)}/..`]) {
        const refused = { code: 'invalid_argument', field: 'digest' };
        await expect(artifactBytes(store, name)).rejects.toMatchObject(refused);
        await expect(store.has(name)).rejects.toMatchObject(refused);
        await expect(store.remove(name)).rejects.toMatchObject(refused);
      }
    });
  });
}
