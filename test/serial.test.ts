import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildReport } from '../cluster/report/report.ts';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { loadCheckpoint } from '../src/checkpoint/load.ts';
import { VirtualClock } from '../src/clock/virtual.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { MemoryFiles } from '../src/files/memory-files.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { seededRandom } from '../src/random/seeded.ts';
import { REPOSITORY } from './support/command.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

function ledgerOf({ job }: SerialResult): { requests: number; ended: number } {
  const { ledger, requests } = job.progress!;
  const { trained, filtered, expired, failed } = ledger!;
  return { requests: Number(requests), ended: Number(trained + filtered + expired + failed) };
}

describe('serial mode', () => {
  it('gives the same weights, the same books and the same rows in two runs', async () => {
    const config = thermostatJob(['rounds=8', 'evaluation.every=4', 'rollout.groupsPerRound=4', 'rollout.groupSize=8']);
    const [first, second] = [
      await runSerial(config, { stateDir: folder.path, learners: 2, rollouts: 2 }),
      await runSerial(config, { stateDir: folder.path, learners: 2, rollouts: 2 }),
    ];
    expect(first.job.state).toBe(JobState.SUCCEEDED);
    expect(first.version).toBe(8);
    expect(Buffer.from(first.weights.buffer).equals(Buffer.from(second.weights.buffer))).toBe(true);
    expect(ledgerOf(first)).toEqual(ledgerOf(second));
    expect(ledgerOf(first).ended).toBe(ledgerOf(first).requests);
    expect(first.store.rows('updates')).toEqual(second.store.rows('updates'));
    expect(first.store.rows('updates')).toHaveLength(8);
    expect(first.store.rows('trajectories').length).toBeGreaterThan(0);
    expect(first.job.evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`)).toEqual(
      second.job.evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`),
    );
  });

  it('ends training early where the job says so, with complete books, the last version measured and the best one tested', async () => {
    const { job, version } = await runSerial(
      thermostatJob(['rounds=60', 'evaluation.every=3', 'evaluation.target=0.01', 'rollout.groupsPerRound=4', 'split.test=0.5']),
      { stateDir: folder.path },
    );
    expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
    expect(version).toBeLessThan(60);
    expect(job.progress).toMatchObject({ round: version, roundsTotal: version });
    expect(ledgerOf({ job } as SerialResult).ended).toBe(4 * version);
    expect(ledgerOf({ job } as SerialResult).requests).toBe(4 * version);
    expect(job.evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`)).toContain(`trained@${version}`);
    expect(job.evaluations.filter(({ name }) => name === 'test-trained')).toHaveLength(1);
    expect(job.notices.find(({ code }) => code === 'STOPPED_EARLY')?.message).toMatch(/^training ends after round \d+ of 60: /);
  });

  it('gives the same on files in memory, and writes nothing to the disk', async () => {
    const config = thermostatJob(['rounds=4', 'evaluation.every=2', 'rollout.groupsPerRound=4', 'checkpoint.keep=1']);
    const files = new MemoryFiles({ clock: new VirtualClock() });
    const onDisk = await runSerial(config, { stateDir: folder.path });
    const inMemory = await runSerial(config, { stateDir: '/no-such-folder/state', files });
    expect(inMemory.job.state).toBe(JobState.SUCCEEDED);
    expect(Buffer.from(inMemory.weights.buffer).equals(Buffer.from(onDisk.weights.buffer))).toBe(true);
    expect(inMemory.seconds).toBe(onDisk.seconds);
    expect(existsSync('/no-such-folder')).toBe(false);
    const checkpoints = `/no-such-folder/state/checkpoints/${inMemory.job.id}`;
    const kept = await files.list(checkpoints);
    expect(kept).toContain('v000004');
    for (const name of kept) await loadCheckpoint(`${checkpoints}/${name}`, { files });
  });

  it('teaches the first flow of docs/writing-flows.md what that page says', async () => {
    const { config } = loadJobConfig(join(REPOSITORY, 'docs/first-flow/job.yaml'));
    const { job } = await runSerial(config, { stateDir: folder.path });
    const { heldOut, curve } = buildReport({ job, state: 'succeeded', processes: [], totalSeconds: 1 });
    expect(heldOut.untrained).toBeLessThan(0.25);
    expect(heldOut.trained!.success, JSON.stringify(curve)).toBeGreaterThanOrEqual(0.9);
  });

  it('another seed gives other weights', async () => {
    const options = { stateDir: folder.path };
    const quick = ['rounds=2', 'evaluation.every=0', 'evaluation.baselines=false', 'rollout.groupsPerRound=4'];
    const one = await runSerial(thermostatJob([...quick, 'seed=1']), options);
    const two = await runSerial(thermostatJob([...quick, 'seed=2']), options);
    expect(Buffer.from(one.weights.buffer).equals(Buffer.from(two.weights.buffer))).toBe(false);
  });

  it('gives the same weights within 1e-6 from 1, 2 and 4 learners', async () => {
    const config = thermostatJob([
      'rounds=10',
      'evaluation.every=0',
      'evaluation.baselines=false',
      'rollout.groupsPerRound=6',
      'rollout.groupSize=8',
      'rollout.maxStaleness=0',
    ]);
    const weights: Float32Array[] = [];
    for (const [learners, seed] of [
      [1, 1],
      [2, 2],
      [4, 3],
      [4, 4],
    ] as const) {
      const random = seededRandom(seed);
      const learnerDelayMs = (learner: number): number => random.integer(50) * (1 + (learner % 3));
      const result = await runSerial(config, { stateDir: folder.path, learners, learnerDelayMs });
      expect(result.version).toBe(10);
      weights.push(result.weights);
    }
    const [reference, ...others] = weights;
    // The weights have moved: an equality of initial weights would show nothing.
    const initial = (
      await runSerial({ ...config, rounds: 1, optimizer: { ...config.optimizer, learningRate: 0 } }, { stateDir: folder.path })
    ).weights;
    expect(largestDifference(reference!, initial)).toBeGreaterThan(1e-3);
    for (const other of others) expect(largestDifference(reference!, other)).toBeLessThanOrEqual(1e-6);
  });

  it('an interrupted run ends with the weights of an uninterrupted one', async () => {
    const config = thermostatJob([
      ...['rounds=10', 'evaluation.every=5', 'rollout.groupsPerRound=4', 'rollout.groupSize=8', 'rollout.maxStaleness=0'],
    ]);
    const whole = await runSerial(config, { stateDir: folder.path });
    for (const interruptAfterRound of [3, 7]) {
      const interrupted = await runSerial(config, { stateDir: folder.path, interruptAfterRound });
      expect(interrupted.job.state).toBe(JobState.SUCCEEDED);
      expect(interrupted.version).toBe(10);
      expect(Buffer.from(interrupted.weights.buffer).equals(Buffer.from(whole.weights.buffer))).toBe(true);
      expect(ledgerOf(interrupted)).toEqual(ledgerOf(whole));
      expect(interrupted.store.rows('updates')).toHaveLength(10);
    }
  });

  it('keeps staleness within its bound', async () => {
    const config = thermostatJob([
      'rounds=12',
      'rollout.groupSize=8',
      'evaluation.every=0',
      'evaluation.baselines=false',
      'rollout.maxStaleness=2',
    ]);
    const result = await runSerial(config, { stateDir: folder.path, rollouts: 3 });
    const worst = Math.max(...result.store.rows('updates').map((row) => Number(row['staleness_max'])));
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(2);
  });
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}
