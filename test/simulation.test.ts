import { createHook } from 'node:async_hooks';
import { beforeAll, describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../cluster/simulation/faults/plan.ts';
import { SOMETIMES } from '../cluster/simulation/invariants/sometimes.ts';
import type { SimulatedJob } from '../cluster/simulation/job.ts';
import { simulate, type SimulationOptions } from '../cluster/simulation/run.ts';
import { simulatedJobs } from './simulation/job.ts';
import { REGRESSIONS } from './simulation/regressions.ts';

/** Seeds that every run of the tests tries; npm run test:long -- simulate tries ten thousand. */
const SEEDS = 100;

let options: SimulationOptions;
beforeAll(async () => {
  options = await simulatedJobs();
});

const passed = (seed: number) => ({ seed, outcome: 'passed', invariant: undefined, reason: undefined });

async function run(seed: number, more: Partial<SimulationOptions> = {}) {
  const { outcome, invariant, reason, ...rest } = await simulate(seed, { ...options, ...more });
  return { ended: { seed, outcome, invariant, reason }, ...rest };
}

describe('simulation', () => {
  it('runs a job to its end without faults', async () => {
    const { ended, struck } = await run(1, { plan: NO_FAULTS });
    expect(ended).toEqual(passed(1));
    expect(struck).toEqual([]);
  });

  it.each([3, 14, 27])('gives the same events for seed %i again, and with what struck as the only faults', async (seed) => {
    const first = await run(seed);
    expect((await run(seed)).hash).toBe(first.hash);
    expect(first.struck.length).toBeGreaterThan(0);
    const replay = await run(seed, { only: new Set(first.struck) });
    expect({ hash: replay.hash, struck: replay.struck }).toEqual({ hash: first.hash, struck: first.struck });
    expect((await run(seed + 1)).hash).not.toBe(first.hash);
  });

  it(`holds every promise under the faults of ${SEEDS} seeds, and names the states it reached`, async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = await run(seed);
      expect(result.ended).toEqual(passed(seed));
      for (const state of result.seen) seen.add(state);
    }
    expect(seen.size).toBeGreaterThan(0);
    expect([...seen].filter((state) => !(state in SOMETIMES))).toEqual([]);
  });

  it('holds under the faults of seeds that once broke a promise', async () => {
    for (const { seed, broke } of REGRESSIONS) expect({ broke, ...(await run(seed)).ended }).toEqual({ broke, ...passed(seed) });
  });

  it('touches no file, thread or socket: how long the world outside takes decides nothing', async () => {
    const kinds = new Set<string>();
    const hook = createHook({ init: (_, kind) => void kinds.add(kind) }).enable();
    try {
      for (const seed of [3, 14, 27]) await run(seed);
    } finally {
      hook.disable();
    }
    expect([...kinds]).toContain('Immediate');
    expect(
      [...kinds].filter((kind) => /^(FS|STATWATCHER|WORKER|TCP|PIPE|TLS|UDP|GETADDR|QUERY|RANDOM|PBKDF|PROCESS)/.test(kind)),
    ).toEqual([]);
  });

  it('counts a rejection that nobody handles', async () => {
    // The runner of these tests would take it for an error of its own.
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    const [job] = options.jobs as [SimulatedJob];
    let calls = 0;
    const get: SimulatedJob['runtimes']['get'] = (record) => {
      calls += 1;
      // The first call is the simulator's own.
      if (calls === 2) void Promise.reject(new Error('nobody hears this'));
      return job.runtimes.get(record);
    };
    const jobs = [{ ...job, runtimes: { ...job.runtimes, get } }];
    try {
      const { ended } = await run(1, { plan: NO_FAULTS, jobs });
      expect(ended).toMatchObject({ outcome: 'failed', invariant: 'no-unhandled-rejection' });
      expect(ended.reason).toContain('nobody hears this');
    } finally {
      for (const other of others) process.on('unhandledRejection', other);
    }
  });
});
