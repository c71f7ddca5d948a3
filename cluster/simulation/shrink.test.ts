import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shrink, type ShrinkRun } from './shrink.ts';

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `fault#${i}`);

/** A run that breaks an invariant when all of `needed` may strike. */
function breaksWith(needed: readonly string[], invariant = 'promise') {
  return (only: ReadonlySet<string>): Promise<ShrinkRun> =>
    Promise.resolve({ invariant: needed.every((id) => only.has(id)) ? invariant : undefined, struck: [...only] });
}

describe('shrink', () => {
  it('finds exactly the faults that are needed, wherever they are', async () => {
    const property = fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.infiniteStream(fc.nat()), async (count, draws) => {
      const struck = ids(count);
      const wanted = 1 + (draws.next().value! % Math.min(4, count));
      const needed = new Set(Array.from({ length: wanted }, () => struck[draws.next().value! % count]!));
      const found = await shrink({ struck, invariant: 'promise', run: breaksWith([...needed]), maxRuns: 2_000 });
      expect(new Set(found.faults)).toEqual(needed);
      expect(found).toMatchObject({ reproduced: true, minimal: true });
    });
    await fc.assert(property);
  });

  it('finds that no fault is needed', async () => {
    const found = await shrink({ struck: ids(50), invariant: 'promise', run: breaksWith([]) });
    expect(found).toEqual({ faults: [], runs: 2, reproduced: true, minimal: true });
  });

  it('does not take another broken invariant for the same', async () => {
    const run = (only: ReadonlySet<string>): Promise<ShrinkRun> =>
      Promise.resolve({
        invariant: only.has('fault#3') ? (only.has('fault#4') ? 'promise' : 'other') : undefined,
        struck: [...only],
      });
    const found = await shrink({ struck: ids(9), invariant: 'promise', run });
    expect(found.faults).toEqual(['fault#3', 'fault#4']);
  });

  it('drops faults that did not strike when the invariant broke', async () => {
    const run = (only: ReadonlySet<string>): Promise<ShrinkRun> =>
      Promise.resolve({ invariant: only.has('fault#0') ? 'promise' : undefined, struck: only.has('fault#0') ? ['fault#0'] : [] });
    const found = await shrink({ struck: ids(100), invariant: 'promise', run });
    expect(found).toMatchObject({ faults: ['fault#0'], minimal: true });
    expect(found.runs).toBeLessThan(4);
  });

  it('never runs the same faults twice', async () => {
    const seen = new Set<string>();
    const inner = breaksWith(['fault#1', 'fault#6', 'fault#11']);
    const run = (only: ReadonlySet<string>): Promise<ShrinkRun> => {
      const key = [...only].sort().join();
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      return inner(only);
    };
    expect((await shrink({ struck: ids(12), invariant: 'promise', run })).faults).toHaveLength(3);
  });

  it('ends with the fewest so far after so many runs, or when it is asked to', async () => {
    const run = breaksWith(ids(64).filter((_, i) => i % 7 === 0));
    const limited = await shrink({ struck: ids(64), invariant: 'promise', run, maxRuns: 20 });
    expect(limited).toMatchObject({ runs: 20, reproduced: true, minimal: false });
    expect(limited.faults.length).toBeLessThanOrEqual(64);
    let asked = 0;
    const stopped = await shrink({ struck: ids(64), invariant: 'promise', run, stop: () => (asked += 1) > 5 });
    expect(stopped).toMatchObject({ runs: 5, minimal: false });
  });

  it('says so when the failure does not come again', async () => {
    const found = await shrink({ struck: ids(3), invariant: 'promise', run: () => Promise.resolve({ struck: [] }) });
    expect(found).toEqual({ faults: ids(3), runs: 1, reproduced: false, minimal: false });
  });
});
