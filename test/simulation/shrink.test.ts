import { beforeAll, describe, expect, it } from 'vitest';
import { shrink, type ShrinkRun } from '../../cluster/simulation/shrink.ts';
import { simulate, type SimulationOptions } from '../../cluster/simulation/run.ts';
import { simulatedJobs } from './job.ts';

/** A promise that nobody made: faults make the job take longer. */
const LONGEST_SECONDS = 20;

let options: SimulationOptions;
beforeAll(async () => {
  options = await simulatedJobs();
});

async function run(seed: number, only?: ReadonlySet<string>): Promise<ShrinkRun> {
  const { seconds, struck } = await simulate(seed, { ...options, ...(only && { only }) });
  return { struck, invariant: seconds > LONGEST_SECONDS ? 'ends-soon' : undefined };
}

describe('shrinking a run of the whole cluster', () => {
  it('finds the faults that make a job slow, and no others', async () => {
    let seed = 1;
    let failing = await run(seed);
    while (failing.invariant === undefined || failing.struck.length < 10) failing = await run((seed += 1));
    const { struck } = failing;
    const found = await shrink({ struck, invariant: 'ends-soon', run: (only) => run(seed, only), maxRuns: 40 });
    expect(found.reproduced).toBe(true);
    expect(found.faults.length).toBeLessThan(struck.length / 2);
    expect(found.faults.filter((id) => !struck.includes(id))).toEqual([]);
    expect((await run(seed, new Set(found.faults))).invariant).toBe('ends-soon');
    if (found.minimal && found.faults.length > 1) {
      const without = found.faults.slice(1);
      expect((await run(seed, new Set(without))).invariant).toBeUndefined();
    }
  }, 120_000);
});
