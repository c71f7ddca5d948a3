import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { RolloutRequestSchema, ScoredGroupSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { evaluationPlan } from '../../src/jobs/evaluation/plans.ts';
import { requestsOfEachTask } from '../../src/jobs/requests.ts';
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

  it('asks for as many flows a request as a group of training has, and for the same requests again', async () => {
    const { job, context, release } = await coordinatedJob(folder.path);
    const { config } = job.record;
    const sent: RolloutRequest[] = [];
    const sendAll = (items: readonly unknown[], make: (item: unknown) => RolloutRequest | undefined): Promise<boolean> => {
      sent.push(...items.flatMap((item) => make(item) ?? []));
      return Promise.resolve(true);
    };
    const evaluations = new RunningEvaluations(
      context,
      { job: 'a', config: { ...config, rollout: { ...config.rollout, groupSize: 4 } }, fence: 1 },
      { attempt: 0, sender: { sendAll } as unknown as RequestSender },
    );
    const tasks = Array.from({ length: 10 }, (_, i) => ({ id: `t${i}`, json: '{}' }));
    evaluations.start(evaluationPlan('trained', 2), tasks, { trajectories: 0, trainSeconds: 0 });
    const send = (limit: number): Promise<boolean> => evaluations.send(limit, new AbortController().signal, () => false);
    await send(2);
    expect(sent.map(({ tasks: of }) => of.length)).toEqual([4, 4]);
    expect([evaluations.underWay, evaluations.unsent]).toEqual([2, true]);
    await send(2);
    expect(sent.map(({ id }) => id)).toEqual(['a:trained@2:t0+3:0', 'a:trained@2:t4+3:0', 'a:trained@2:t8+1:0']);

    const answer = (request: RolloutRequest): AnsweredRequest => ({
      ...create(ScoredGroupSchema, {
        scores: Array.from({ length: request.groupSize }, (_, i) => ({ valid: true, success: i === 0, reward: 1, steps: 2 })),
      }),
      request,
    });
    evaluations.add(answer(sent[0]!));
    // What was given up comes task by task; one of them fails.
    const [first, ...others] = requestsOfEachTask(sent[1]!);
    for (const request of others) evaluations.add(answer(request));
    expect(evaluations.underWay).toBe(2);
    evaluations.forgetSent();
    await send(10);
    expect(sent.slice(3).map(({ id }) => id)).toEqual(['a:trained@2:t4+3:0', 'a:trained@2:t8+1:0']);
    evaluations.add({ ...create(ScoredGroupSchema, { failure: FailureClass.WORKER_LOST }), request: first! });
    evaluations.add(answer(sent[2]!));
    expect(evaluations.underWay).toBe(0);
    const [result] = evaluations.finished();
    expect(result).toMatchObject({ tasks: 10, successes: 5, failed: 1, failures: { WORKER_LOST: 1 } });
    await release();
  });
});
