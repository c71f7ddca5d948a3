import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { fileError, MemoryFiles, type BeforeOperation } from '../files/memory-files.ts';
import { MillraceError } from '../errors.ts';
import { seededRandom } from '../random/seeded.ts';
import { artifactBytes, type ArtifactContent } from './artifacts.ts';
import { sha256 } from './digest.ts';
import { FileArtifacts } from './file-artifacts.ts';

const FOLDER = '/state/artifacts';
const CONTENT = Buffer.from('weights of a policy');
const DIGEST = sha256(CONTENT);

async function* inPieces(): AsyncIterable<Uint8Array> {
  for (let from = 0; from < CONTENT.length; from += 7) yield CONTENT.subarray(from, from + 7);
}

async function machine(): Promise<MemoryFiles> {
  const files = new MemoryFiles({ clock: new VirtualClock() });
  await files.makeFolder('/state');
  await files.syncFolder('/');
  return files;
}

/** Fails, e.g. with a crash, at one operation. */
function at(operation: number, fail: () => void): BeforeOperation {
  let done = 0;
  return () => {
    done += 1;
    if (done === operation + 1) fail();
  };
}

/** Whether the artifact is there; throws when it is there and not what its name says. */
async function isWhole(files: MemoryFiles, digest = DIGEST): Promise<boolean> {
  const store = new FileArtifacts(FOLDER, files);
  if (!(await store.has(digest))) return false;
  expect(sha256(await artifactBytes(store, digest))).toBe(digest);
  return true;
}

async function operationsOfPut(content: () => ArtifactContent): Promise<number> {
  let operations = 0;
  const files = (await machine()).shared(() => void (operations += 1));
  await new FileArtifacts(FOLDER, files).put(content());
  return operations;
}

describe.each<[string, () => ArtifactContent]>([
  ['bytes', () => CONTENT],
  ['pieces', inPieces],
])('a crash while %s are put', (_, content) => {
  it('leaves the artifact whole or not at all, wherever it comes, and one that was put in any case', async () => {
    const operations = await operationsOfPut(content);
    expect(operations).toBeGreaterThan(7);
    const outcomes = new Set<boolean>();
    for (let crashAt = 0; crashAt <= operations; crashAt += 1) {
      for (let seed = 0; seed < 30; seed += 1) {
        const files = await machine();
        let left: MemoryFiles | undefined;
        const dying = files.shared(at(crashAt, () => (left = files.crash(seededRandom(seed)))));
        const put = await new FileArtifacts(FOLDER, dying).put(content()).then(
          () => true,
          () => false,
        );
        left ??= files.crash(seededRandom(seed));
        const whole = await isWhole(left);
        outcomes.add(whole);
        if (put) expect(whole).toBe(true);
        // What a crash has left is no obstacle.
        await new FileArtifacts(FOLDER, left).put(content());
        expect(await isWhole(left.crash(seededRandom(seed)))).toBe(true);
      }
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  it('is an error in the words of the store when an operation fails, and leaves nothing', async () => {
    const operations = await operationsOfPut(content);
    for (let failing = 0; failing < operations; failing += 1) {
      const files = await machine();
      const full = files.shared(
        at(failing, () => {
          throw fileError('ENOSPC', 'write', 'somewhere');
        }),
      );
      const thrown = await new FileArtifacts(FOLDER, full).put(content()).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (thrown === undefined) expect(await isWhole(files)).toBe(true);
      else expect(MillraceError.from(thrown)).toMatchObject({ code: 'resource_exhausted' });
      expect(await files.list(`${FOLDER}/drafts`).catch(() => [])).toEqual([]);
    }
  });
});

it('keeps what a process has put, wherever another one was that put the same', async () => {
  const operations = await operationsOfPut(() => CONTENT);
  for (let pausedAt = 0; pausedAt < operations; pausedAt += 1) {
    for (let seed = 0; seed < 20; seed += 1) {
      const files = await machine();
      let reached = (): void => {};
      const paused = new Promise<void>((resolve) => (reached = resolve));
      let done = 0;
      const slow = files.shared(() => {
        done += 1;
        if (done <= pausedAt) return undefined;
        reached();
        return new Promise(() => {});
      });
      void new FileArtifacts(FOLDER, slow).put(CONTENT);
      await paused;
      await new FileArtifacts(FOLDER, files).put(CONTENT);
      expect(await isWhole(files.crash(seededRandom(seed)))).toBe(true);
    }
  }
});
