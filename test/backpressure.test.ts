import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const ROUNDS = 20;
const GROUPS = 4;
const job = (more: readonly string[]) =>
  thermostatJob([
    `rounds=${ROUNDS}`,
    `rollout.groupsPerRound=${GROUPS}`,
    'rollout.maxStaleness=1',
    'evaluation.every=0',
    'evaluation.baselines=false',
    ...more,
  ]);

describe('a store that is slow', () => {
  it('stops the admission of requests, which the job says, and loses nothing', async () => {
    const high = 12;
    const config = job([`rollout.storeBacklog.high=${high}`, 'rollout.storeBacklog.low=3']);
    const seen: Job[] = [];
    let written = 0;
    const {
      job: end,
      store,
      seconds,
    } = await runSerial(config, {
      stateDir: folder.path,
      onJob: (now) => seen.push(now),
      // Computing takes no virtual time, and would be over before anything is written.
      learnerDelayMs: () => 500,
      storeDelayMs: (insert) => {
        written = insert;
        return insert <= 2 ? 30_000 : 0;
      },
    });
    expect(end.state).toBe(JobState.SUCCEEDED);
    expect(written).toBeGreaterThan(2);
    expect(seconds).toBeGreaterThan(50);

    const held = seen.filter(({ waitingFor }) => waitingFor.startsWith('the store, which is'));
    expect(held.length).toBeGreaterThan(10);
    expect(held[0]!.waitingFor).toMatch(
      /^the store, which is \d+ groups.* behind: it writes \d+ rows\/s; new requests from 3 on/,
    );
    // What was under way when the mark was passed still comes; nothing is asked for beyond that.
    const requests = held.map(({ progress }) => Number(progress!.requests));
    expect(Math.max(...requests)).toBeLessThanOrEqual(high + 2 * 2 * GROUPS);
    expect(Math.max(...requests)).toBeLessThan(ROUNDS * GROUPS);

    const { ledger } = end.progress!;
    expect(ledger!.trained + ledger!.filtered).toBe(BigInt(ROUNDS * GROUPS));
    const groups = new Map<unknown, number>();
    for (const row of store.rows('trajectories'))
      if (row['purpose'] === 'train') groups.set(row['request_id'], (groups.get(row['request_id']) ?? 0) + 1);
    expect([...groups.values()]).toEqual(Array.from({ length: Number(end.progress!.requests) }, () => config.rollout.groupSize));
    const steps = store.rows('steps').filter((row) => row['purpose'] === 'train');
    const told = store
      .rows('trajectories')
      .reduce((sum, row) => sum + (row['purpose'] === 'train' ? Number(row['steps']) : 0), 0);
    expect(steps).toHaveLength(told);
  });

  it('is not waited for while it is within its marks', async () => {
    const seen: Job[] = [];
    const { job: end } = await runSerial(job([]), {
      stateDir: folder.path,
      onJob: (now) => seen.push(now),
      learnerDelayMs: () => 500,
      storeDelayMs: () => 2_000,
    });
    expect(end.state).toBe(JobState.SUCCEEDED);
    expect(seen.filter(({ waitingFor }) => waitingFor.includes('the store, which is'))).toEqual([]);
  });
});
