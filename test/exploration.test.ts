import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { loadCheckpoint } from '../src/checkpoint/load.ts';
import { checkpointPath } from '../src/checkpoint/paths.ts';
import { decodeState } from '../src/explore/state.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const short = ['rounds=10', 'evaluation.every=5', 'evaluation.baselines=false', 'rollout.groupsPerRound=4'];
const curriculum = ['curriculum.enabled=true', 'curriculum.decay=0.9'];
const everything = [
  ...curriculum,
  'exploration.temperature.schedule=entropy',
  'exploration.temperature.target=0.8',
  'exploration.forced.share=0.25',
  'exploration.forced.mode=thompson',
  'exploration.thompson.mix=0.1',
  'exploration.pruning.enabled=true',
  'exploration.pruning.minVisits=5',
  'exploration.loops=penalise',
];

/** What was written about exploration; an interruption takes time, so the times differ. */
const known = ({ store }: SerialResult): unknown[] =>
  store.rows('exploration').map(({ at, ...row }) => (expect(at).toBeGreaterThan(0), row));

const taskOf = ({ store }: SerialResult): Map<number, string> =>
  new Map(
    store
      .rows('trajectories')
      .filter((row) => row['purpose'] === 'train')
      .map((row) => [Number(row['sequence']), String(row['task_id'])]),
  );

describe('curriculum', () => {
  it('an interrupted run ends with the weights of an uninterrupted one', async () => {
    const config = thermostatJob([...short, ...curriculum, 'rollout.maxStaleness=0']);
    const whole = await runSerial(config, { stateDir: folder.path });
    expect(whole.job.state).toBe(JobState.SUCCEEDED);
    const interrupted = await runSerial(config, { stateDir: folder.path, interruptAfterRound: 4 });
    expect(taskOf(interrupted)).toEqual(taskOf(whole));
    expect(Buffer.from(interrupted.weights.buffer).equals(Buffer.from(whole.weights.buffer))).toBe(true);
    expect(known(interrupted)).toEqual(known(whole));
  });

  it('chooses other tasks than the epochs would, and none twice at a time', async () => {
    const config = thermostatJob([...short, 'rollout.maxStaleness=0']);
    const options = { stateDir: folder.path };
    const without = await runSerial(config, options);
    const chosen = await runSerial({ ...config, curriculum: { ...config.curriculum, enabled: true } }, options);
    expect(taskOf(chosen)).not.toEqual(taskOf(without));
    expect(without.store.rows('exploration')).toEqual([]);
    const tasks = taskOf(chosen);
    for (let round = 0; round < config.rounds; round++)
      expect(new Set([0, 1, 2, 3].map((i) => tasks.get(4 * round + i))).size).toBe(4);
    const rows = chosen.store.rows('exploration').filter((row) => row['kind'] === 'task');
    expect(new Set(rows.map((row) => row['version']))).toEqual(new Set([5, 10]));
  });
});

describe('exploration', () => {
  it('with everything on: two runs are the same, and one that is interrupted too', async () => {
    const config = thermostatJob([...short, ...everything, 'rollout.maxStaleness=0']);
    const first = await runSerial(config, { stateDir: folder.path, learners: 2, rollouts: 2 });
    expect(first.job.state).toBe(JobState.SUCCEEDED);
    const { requests, ledger } = first.job.progress!;
    expect(ledger!.trained + ledger!.filtered + ledger!.expired + ledger!.failed).toBe(requests);
    const second = await runSerial(config, { stateDir: folder.path, learners: 2, rollouts: 2, interruptAfterRound: 4 });
    expect(Buffer.from(second.weights.buffer).equals(Buffer.from(first.weights.buffer))).toBe(true);
    expect(known(second)).toEqual(known(first));
    const kinds = new Set(first.store.rows('exploration').map((row) => row['kind']));
    expect(kinds).toEqual(new Set(['tool', 'value', 'task', 'temperature']));
    for (const row of first.store.rows('exploration')) {
      expect(Number(row['lower'])).toBeLessThanOrEqual(Number(row['mean']) + 1e-9);
      expect(Number(row['mean'])).toBeLessThanOrEqual(Number(row['upper']) + 1e-9);
      expect(Number(row['n'])).toBeGreaterThan(0);
    }
    const checkpoint = await loadCheckpoint(checkpointPath(folder.path, first.job.id, 10));
    const state = decodeState(checkpoint.exploration);
    expect(state.version).toBe(10);
    expect(state.temperature).not.toBe(1);
    expect(state.tasks.size).toBeGreaterThan(0);
    expect(state.arms.size).toBeGreaterThan(0);
  });
});
