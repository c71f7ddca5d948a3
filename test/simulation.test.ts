import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../cluster/simulation/faults/plan.ts';
import { SOMETIMES } from '../cluster/simulation/invariants/sometimes.ts';
import { simulate, type SimulationOptions } from '../cluster/simulation/run.ts';
import { simulatedJobs } from './simulation/job.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let options: SimulationOptions;
beforeAll(async () => {
  folder = await temporaryFolder();
  options = await simulatedJobs();
});
afterAll(() => folder.remove());

describe('simulation', () => {
  it('runs a job to its end without faults', async () => {
    const { outcome, reason } = await simulate(1, { ...options, plan: NO_FAULTS });
    expect({ outcome, reason }).toEqual({ outcome: 'passed', reason: undefined });
  });

  it('gives the same events for the same seed, and others for another', async () => {
    const hashes: string[] = [];
    for (const seed of [3, 3, 4]) hashes.push((await simulate(seed, options)).hash);
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[2]).not.toBe(hashes[0]);
  });

  it('holds every promise under the faults of some seeds, and names the states it reached', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const { outcome, reason, ...result } = await simulate(seed, options);
      expect({ seed, outcome, reason }).toEqual({ seed, outcome: 'passed', reason: undefined });
      for (const state of result.seen) seen.add(state);
    }
    expect(seen.size).toBeGreaterThan(0);
    expect([...seen].filter((state) => !(state in SOMETIMES))).toEqual([]);
  });
});
