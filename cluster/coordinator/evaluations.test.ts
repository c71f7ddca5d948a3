import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RolloutRequestSchema, ScoredGroupSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { evaluationPlan } from '../../src/jobs/evaluation/plans.ts';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import { RunningEvaluations } from './evaluations.ts';
import { coordinatedJob } from './job.fixture.ts';
import type { RequestSender } from './request-sender.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

describe('RunningEvaluations', () => {
  it('counts answers of its own attempt, and leaves those of a later one to the coordinator that took the job', async () => {
    const { job, context, release } = await coordinatedJob(folder.path);
    const sender = { sendAll: () => Promise.resolve(true) } as unknown as RequestSender;
    const evaluations = new RunningEvaluations(
      context,
      { job: 'a', config: job.record.config, fence: 1 },
      { attempt: 3, sender },
    );
    evaluations.start(evaluationPlan('trained', 2), [{ id: 'one', json: '{}' }], { trajectories: 0, trainSeconds: 0 });
    const answer = (attempt: number): AnsweredRequest => ({
      ...create(ScoredGroupSchema, { scores: [{ valid: true, success: true, reward: 1, steps: 2 }] }),
      request: create(RolloutRequestSchema, { job: 'a', evaluation: 'trained@2', taskId: 'one', groupSize: 1, attempt }),
    });
    expect(evaluations.add(answer(4))).toBe(false);
    expect(evaluations.add(answer(2))).toBe(true);
    expect(evaluations.finished()).toEqual([]);
    expect(evaluations.add(answer(3))).toBe(true);
    expect(evaluations.finished()).toMatchObject([{ name: 'trained', policyVersion: 2, tasks: 1, successes: 1 }]);
    await release();
  });
});
