import { existsSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import type { JobVersion } from '../cluster/jobs/weight-source.ts';
import { artifactsOf } from '../cluster/jobs/artifacts.ts';
import type { CoordinatorBackend } from '../cluster/coordinator/admin-backend.ts';
import { JobState, type Checkpoint, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import type { JobConfig } from '../src/config/job.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const short = ['rounds=6', 'rollout.maxStaleness=0', 'rollout.groupsPerRound=4', 'evaluation.every=3', 'checkpoint.every=2'];

/** Runs a job, then another that goes on from it. */
async function forked(config: JobConfig, fork: Omit<JobVersion, 'job'>, more: Partial<JobConfig> = {}) {
  let first: Job | undefined;

  let checkpoints: Checkpoint[] = [];
  const stateDir = folder.path;
  const onEnd = async (job: Job, admin: CoordinatorBackend): Promise<string | undefined> => {
    if (job.id === 'second') return undefined;
    first = job;
    checkpoints = await admin.listCheckpoints(job.id);
    return (await admin.createJob('second', { ...config, ...more }, { fork: { job: job.id, ...fork } })).id;
  };
  const second = await runSerial(config, { stateDir, onEnd });
  const { weights } = await runSerial(config, { stateDir });
  return { first: first!, weights, second, checkpoints };
}

const same = (a: Float32Array, b: Float32Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const books = ({ job }: SerialResult) => {
  const { ledger, requests } = job.progress!;
  const { trained, filtered, expired, failed } = ledger!;
  return { requests: Number(requests), ended: Number(trained + filtered + expired + failed) };
};

describe('a job that goes on with the training of another', () => {
  it('ends with the weights that the other ended with', async () => {
    const { first, weights, second, checkpoints } = await forked(thermostatJob(short), { version: 4 });
    expect(first.state).toBe(JobState.SUCCEEDED);
    expect(second.job).toMatchObject({
      state: JobState.SUCCEEDED,
      error: '',
      from: `${first.id}@4`,
      forkedFrom: `${first.id}@4`,
    });
    expect(same(second.weights, weights)).toBe(true);
    expect(books(second)).toEqual({ requests: 24, ended: 24 });
    // Rows of the rounds before are the other job's.
    const rounds = (job: string) =>
      second.store.rows('updates').flatMap((row) => (row['job'] === job ? [Number(row['version'])] : []));
    expect([rounds(first.id), rounds('second')]).toEqual([
      [1, 2, 3, 4, 5, 6],
      [5, 6],
    ]);
    // So are the evaluations until then, which are not run again.
    const named = ({ evaluations }: Job) => evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`).sort();
    expect(named(second.job)).toEqual(named(first));
    expect(checkpoints.map(({ version, problem }) => [version, problem])).toEqual([2, 3, 4, 6].map((version) => [version, '']));
    expect(first.bestCheckpoint?.version).toBeGreaterThanOrEqual(3);
  });

  it('does so with curriculum, exploration and a reference that is renewed', async () => {
    const everything = [
      'curriculum.enabled=true',
      'curriculum.decay=0.9',
      'exploration.temperature.schedule=entropy',
      'exploration.temperature.target=0.8',
      'algorithm.kl.coefficient=0.05',
      'algorithm.kl.reference=3',
      'optimizer.finalLearningRate=0.1',
    ];
    const { weights, second } = await forked(thermostatJob([...short, ...everything]), { version: 4 });
    expect(second.job).toMatchObject({ state: JobState.SUCCEEDED, error: '' });
    expect(same(second.weights, weights)).toBe(true);
  });

  it('tells which checkpoints are gone or damaged, the best one too, and goes on from those that are whole', async () => {
    const config = thermostatJob(short);
    const stateDir = folder.path;
    const second = await runSerial(config, {
      stateDir,
      onEnd: async (job, admin) => {
        if (job.id === 'second') return undefined;
        const artifacts = artifactsOf(stateDir);
        const checkpoints = await admin.listCheckpoints(job.id);
        const best = job.bestCheckpoint!;
        const other = checkpoints.find(({ version }) => version !== best.version && version !== 2)!;
        // The best one is gone, another one torn in its weights, the newest of the rest is used.
        rmSync(artifacts.pathOf(best.digest));
        const { files } = JSON.parse(readFileSync(artifacts.pathOf(other.digest), 'utf8')) as { files: Record<string, string> };
        truncateSync(artifacts.pathOf(files['model.safetensors']!), 40);
        const problems = new Map((await admin.listCheckpoints(job.id)).map(({ version, problem }) => [version, problem]));
        expect(problems.get(best.version)).not.toBe('');
        expect(problems.get(other.version)).toMatch(/model\.safetensors|sha-?256|damaged|bytes/i);
        for (const { version } of [best, other]) {
          const fork = { job: job.id, version };
          await expect(admin.createJob('none', { ...config, rounds: 9 }, { fork })).rejects.toMatchObject({ code: 'data_loss' });
        }
        const whole = [...problems].filter(([, problem]) => problem === '').map(([version]) => version);
        const fork = { job: job.id, version: undefined };
        const forked = await admin.createJob('second', { ...config, rounds: 9 }, { fork });
        expect(forked.forkedFrom).toBe(`${job.id}@${Math.max(...whole)}`);
        return forked.id;
      },
    });
    expect(second.job).toMatchObject({ state: JobState.SUCCEEDED, error: '' });
  });

  it('trains for more rounds, from the newest checkpoint that is whole', async () => {
    const config = thermostatJob(short);
    const notices: string[] = [];
    const stateDir = folder.path;
    const second = await runSerial(config, {
      stateDir,
      onEnd: async (job, admin) => {
        if (job.id === 'second') {
          notices.push(...(await admin.getJob(config.name)).notices.map(({ code, subject }) => `${code} ${subject}`));
          return undefined;
        }
        const newest = (await admin.listCheckpoints(job.id)).at(-1)!;
        const path = artifactsOf(stateDir).pathOf(newest.digest);
        expect(existsSync(path)).toBe(true);
        truncateSync(path, 100);
        expect((await admin.listCheckpoints(job.id)).filter(({ problem }) => problem !== '')).toMatchObject([{ version: 6 }]);
        const fork = { job: job.id, version: undefined };
        await expect(admin.createJob('other', { ...config, rounds: 4 }, { fork })).rejects.toMatchObject({ field: 'rounds' });
        await expect(admin.createJob('other', { ...config, seed: 9 }, { fork })).rejects.toMatchObject({ field: 'seed' });
        const rollout = { ...config.rollout, groupsPerRound: 8 };
        await expect(admin.createJob('other', { ...config, rollout }, { fork })).rejects.toMatchObject({
          field: 'rollout.groupsPerRound',
        });
        await expect(admin.createJob('other', config, { fork: { ...fork, version: 6 } })).rejects.toMatchObject({
          code: 'data_loss',
        });
        return (await admin.createJob('second', { ...config, rounds: 8 }, { fork })).id;
      },
    });
    expect(second.job).toMatchObject({ state: JobState.SUCCEEDED, forkedFrom: `${config.name}@4` });
    expect(second.version).toBe(8);
    expect(books(second)).toEqual({ requests: 32, ended: 32 });
    expect(notices).toContain('CHECKPOINT_DAMAGED version 6');
  });
});
