import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { checkpointPath } from '../src/checkpoint/paths.ts';
import type { WeightSource } from '../cluster/jobs/weight-source.ts';
import type { JobConfig } from '../src/config/job.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { loadCheckpoint } from '../src/checkpoint/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { accounting } from '../src/jobs/ledger.ts';
import type { Service } from './flows/outage.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const world = globalThis as { millraceTestService?: Service | undefined };
afterEach(() => (world.millraceTestService = undefined));

function leverJob(overrides: readonly string[] = []): JobConfig {
  return loadJobConfig(fileURLToPath(new URL('flows/outage.yaml', import.meta.url)), { overrides }).config;
}

const books = ({ job }: SerialResult): ReturnType<typeof accounting> => accounting(job.progress!.ledger!, job.progress!.requests);
const same = (a: Float32Array, b: Float32Array): boolean => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));

describe('a failed job that is resumed', () => {
  /** Tools throw from the 60th call on, which is in round 2, until `mended`. */
  function breakAfter(calls: number): { mend: () => void } {
    let [made, mended] = [0, false];
    world.millraceTestService = ({ at }) => {
      if (at === 'tool') made += 1;
      if (at === 'tool' && made > calls && !mended) throw new Error('the lever came off');
    };
    return { mend: () => (mended = true) };
  }

  it('goes on from its last committed version, and what made it fail is counted anew', async () => {
    const { mend } = breakAfter(60);
    const errors: string[] = [];
    let failedAt = 0;
    const result = await runSerial(leverJob(), {
      stateDir: folder.path,
      onEnd: async (job, admin) => {
        if (job.state !== JobState.FAILED) return undefined;
        errors.push(job.error);
        failedAt = job.progress!.round;
        if (errors.length === 2) mend();
        return (await admin.resumeJob(job.id)).id;
      },
    });
    // It was resumed twice: the first time it failed once more, after as many failed groups.
    expect(errors).toHaveLength(2);
    for (const error of errors) expect(error).toMatch(/^20 groups failed in a row without one that counts \(20 × TOOL_CRASH\)/);
    expect(failedAt).toBe(1);
    expect(result.job).toMatchObject({ state: JobState.SUCCEEDED, error: '' });
    expect(result.job.endTime).toBeDefined();
    expect(result.version).toBe(4);
    const { requests, trained, filtered, failed, open, failedByClass } = books(result);
    expect(open).toBe(0);
    expect(trained + filtered).toBe(16);
    expect(requests).toBe(16 + failed);
    expect(failedByClass['TOOL_CRASH']).toBe(40);
    expect(result.store.rows('updates').map((row) => row['version'])).toEqual([1, 2, 3, 4]);
  });

  it('is one that has failed: one that has succeeded is refused', async () => {
    const refused: unknown[] = [];
    await runSerial(leverJob(['rounds=1']), {
      stateDir: folder.path,
      onEnd: async (job, admin) => {
        await admin.resumeJob(job.id).catch((error: unknown) => refused.push(error));
        return undefined;
      },
    });
    expect(refused).toMatchObject([
      { code: 'failed_precondition', message: expect.stringMatching(/SUCCEEDED is final/) as string },
    ]);
  });
});

describe('a job from given weights', () => {
  it('starts from a job, one of its versions or a checkpoint, with weights only', async () => {
    const config = leverJob(['evaluation.every=2', 'rounds=4']);
    const still = { ...config, name: 'still', optimizer: { ...config.optimizer, learningRate: 0 } };
    const from: string[] = [];
    const started = async (source: Parameters<typeof runSerial>[1]['from']): Promise<Float32Array> => {
      const { weights } = await runSerial(config, {
        stateDir: folder.path,
        onEnd: async (job, admin) => {
          if (job.id === 'still') {
            from.push(job.from);
            return undefined;
          }
          return (await admin.createJob('still', still, { from: source })).id;
        },
      });
      return weights;
    };
    const weightsOf = async (version: number): Promise<Float32Array> =>
      (await loadCheckpoint(checkpointPath(folder.path, 'outage', version))).parameters.values;
    const newest = await started({ job: 'outage', version: undefined });
    const second = await started({ job: 'outage', version: 2 });
    const path = checkpointPath(folder.path, 'outage', 2);
    const third = await started({ checkpoint: path });
    expect(from).toEqual(['outage@4', 'outage@2', path]);
    expect(same(newest, await weightsOf(4))).toBe(true);
    expect(same(second, await weightsOf(2))).toBe(true);
    expect(same(third, second)).toBe(true);
    expect(same(newest, second)).toBe(false);
  });

  it('is refused with what differs, and where there are no weights', async () => {
    const config = leverJob(['rounds=1']);
    const errors: unknown[] = [];
    await runSerial(config, {
      stateDir: folder.path,
      onEnd: async (_, admin) => {
        const wrong: [JobConfig, WeightSource][] = [
          [leverJob(['policy.hidden=16']), { job: 'outage', version: undefined }],
          [
            { ...config, algorithm: leverJob(['algorithm={name: ppo}']).algorithm },
            { job: 'outage', version: undefined },
          ],
          [config, { job: 'outage', version: 7 }],
          [config, { job: 'nobody', version: undefined }],
          [config, { checkpoint: '/nowhere' }],
        ];
        for (const [job, source] of wrong)
          await admin.createJob('other', job, { from: source }).catch((error: unknown) => errors.push(error));
        expect((await admin.listJobs()).map(({ id }) => id)).toEqual(['outage']);
        return undefined;
      },
    });
    const message = (text: RegExp): unknown => expect.stringMatching(text);
    expect(errors).toMatchObject([
      { code: 'failed_precondition', message: message(/weights of outage@1 do not fit this job: hidden is 8 there and 16 here/) },
      { code: 'failed_precondition', message: message(/: value is false there and true here/) },
      { code: 'not_found', message: message(/Version 7 of job "outage" is not kept; kept are 1/) },
      { code: 'not_found', message: message(/no job "nobody"/) },
      { code: 'not_found', message: message(/\/nowhere is not a checkpoint/) },
    ]);
  });
});
