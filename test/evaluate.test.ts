import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateJob } from '../cluster/admin/create-job.ts';
import type { CoordinatorBackend } from '../cluster/coordinator/admin-backend.ts';
import { runSerial } from '../cluster/serial/index.ts';
import { EvaluateJobRequestSchema, JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(() => folder.remove());

const config = thermostatJob(['rounds=4', 'rollout.maxStaleness=0', 'evaluation.every=3', 'checkpoint.every=2']);

describe('an evaluation of a job that has ended', () => {
  it('measures any checkpoint as the job itself would have, and is noted in its record', async () => {
    let before: Job | undefined;
    const measuring: string[] = [];
    const after: Job[] = [];
    // Version 3 was measured by the job itself, version 2 only has a checkpoint.
    const wanted = [3, 2];
    const onEnd = async (job: Job, admin: CoordinatorBackend): Promise<string | undefined> => {
      before ??= job;
      if (job !== before) after.push(job);
      const version = wanted.shift();
      const evaluate = (of: object) => evaluateJob(admin, create(EvaluateJobRequestSchema, { jobId: before!.id, ...of }));
      if (version === undefined) {
        await expect(evaluate({ version: 7 })).rejects.toMatchObject({ code: 'not_found' });
        await expect(evaluate({ jobId: 'nobody' })).rejects.toMatchObject({ code: 'not_found', field: 'job_id' });
        after.push(await admin.getJob(before.id));
        return undefined;
      }
      const { id, evaluates } = await evaluate({ version });
      measuring.push(evaluates);
      return id;
    };
    await runSerial(config, { stateDir: folder.path, onEnd });
    const [third, second, parent] = after;
    expect(before).toMatchObject({ state: JobState.SUCCEEDED });
    expect(measuring).toEqual([`${before!.id}@3`, `${before!.id}@2`]);
    const trained = ({ evaluations }: Job, version: number) =>
      evaluations.filter(({ name, policyVersion }) => name === 'trained' && policyVersion === version);
    for (const job of [third!, second!]) {
      expect(job).toMatchObject({ state: JobState.SUCCEEDED, error: '', owner: before!.owner, progress: { requests: 0n } });
      expect(job.evaluations).toHaveLength(1);
    }
    const [own] = trained(before!, 3);
    const [again] = trained(third!, 0);
    const figures = ({ tasks, successes, failed, meanReward, meanSteps }: typeof own & object) => ({
      tasks,
      successes,
      failed,
      meanReward,
      meanSteps,
    });
    expect(figures(again!)).toEqual(figures(own!));
    // In the record of the job that was measured it is the version that it is of, with how far training was.
    expect(trained(parent!, 3)).toEqual([own]);
    expect(trained(before!, 2)).toEqual([]);
    expect(trained(parent!, 2)).toMatchObject([{ ...figures(trained(second!, 0)[0]!), policyVersion: 2 }]);
    const [measured] = trained(parent!, 2);
    expect(measured!.trajectories).toBeGreaterThan(0n);
    expect(measured!.trajectories).toBeLessThan(own!.trajectories);
    expect(parent).toMatchObject({ state: JobState.SUCCEEDED });
  });
});
