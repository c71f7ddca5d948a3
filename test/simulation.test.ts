import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../cluster/simulation/faults/plan.ts';
import { simulate, type SimulationOptions } from '../cluster/simulation/run.ts';
import { simulatedJob } from './simulation/job.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let options: SimulationOptions;
beforeAll(async () => {
  folder = await temporaryFolder();
  options = { ...(await simulatedJob()), stateDir: folder.path };
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
});
