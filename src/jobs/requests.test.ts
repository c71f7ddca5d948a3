import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import { Agent, Purpose } from '../gen/millrace/v1/training_pb.ts';
import { evaluationPlan } from './evaluation/plans.ts';
import { evaluationRequest, requestContent, requestFor, requestsOfEachTask } from './requests.ts';
import { permutation, trainingOrder } from './seed.ts';

const config = jobConfigSchema.parse({ name: 'sums', flow: './flow.ts', seed: 5, rollout: { groupsPerRound: 4, groupSize: 6 } });
const context = { job: 'sums', config, fence: 9 };
const task = { id: 'task-7', json: '{"id":"task-7"}' };

describe('trainingOrder', () => {
  it('is a new permutation in every epoch, the same on every node and in every order of asking', () => {
    const order = trainingOrder(10, 3);
    const epochs = [0, 1, 2, 3, 4, 5, 6].map((epoch) => Array.from({ length: 10 }, (_, i) => order(epoch * 10 + i)));
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
    expect(new Set(epochs.map(String)).size).toBe(7);
    const other = trainingOrder(10, 3);
    expect(other(65)).toBe(epochs[6]?.[5]);
    expect(other(2)).toBe(epochs[0]?.[2]);
    expect(order(2)).toBe(epochs[0]?.[2]);
  });

  it('depends on the seed', () => {
    expect([...permutation(50, 1)]).not.toEqual([...permutation(50, 2)]);
    expect([...permutation(0, 1)]).toEqual([]);
  });
});

describe('requestFor', () => {
  it('takes a scheduled temperature; repeated tasks have ids of their own', () => {
    const request = { sequence: 9, task, policyVersion: 2, now: 1.5 };
    expect(requestFor(context, { ...request, temperature: 0.5, repeats: true }, 100)).toMatchObject({
      id: 'sums:2:task-7#9:0',
      temperature: 0.5,
    });
    expect(requestFor(context, { ...request, repeats: false }, 100).id).toBe('sums:2:task-7:0');
  });

  it('is deterministic but for version, fence and time', () => {
    const request = requestFor(context, { sequence: 9, task, policyVersion: 2, now: 1.5 }, 100);
    expect(request).toMatchObject({
      id: 'sums:2:task-7:0',
      job: 'sums',
      sequence: 9n,
      purpose: Purpose.TRAIN,
      agent: Agent.POLICY,
      taskJson: task.json,
      groupSize: 6,
      policyVersion: 2,
      pinned: false,
      temperature: 1,
      dispatchedAtUs: 1500n,
      fence: 9n,
      attempt: 0,
    });
    const again = requestFor({ ...context, fence: 10 }, { sequence: 9, task, policyVersion: 5, now: 7 }, 100);
    expect([again.id, again.seed]).toEqual([request.id, request.seed]);
  });

  it('gives every sequence its own id and seed, also when a round holds a task twice', () => {
    const order = trainingOrder(3, 1);
    const requests = Array.from({ length: 200 }, (_, sequence) => {
      const index = order(sequence);
      return requestFor(context, { sequence, task: { id: `t${index}`, json: '{}' }, policyVersion: 0, now: 0 }, 3);
    });
    expect(new Set(requests.map((r) => r.id)).size).toBe(200);
    expect(new Set(requests.map((r) => r.seed)).size).toBe(200);
  });
});

describe('evaluationRequest', () => {
  it('is greedy, pinned, of one flow, and the same random numbers at every version', () => {
    const at = (version: number) =>
      evaluationRequest(context, evaluationPlan('trained', version), { index: 3, tasks: [task], now: 0 });
    expect(at(40)).toMatchObject({
      id: 'sums:trained@40:task-7:0',
      purpose: Purpose.EVALUATE,
      groupSize: 1,
      policyVersion: 40,
      pinned: true,
      temperature: 0,
      evaluation: 'trained@40',
      sequence: 3n,
    });
    expect(at(40).seed).toBe(at(80).seed);
  });

  it('asks for several tasks at once, and for each of them as if it were asked for alone', () => {
    const tasks = [task, { id: 'task-8', json: '{"n":8}' }];
    const plan = evaluationPlan('test-sampled', 40, 4);
    const request = evaluationRequest(context, plan, { index: 3, tasks, now: 0, attempt: 2 });
    expect(request).toMatchObject({ id: 'sums:test-sampled@40:task-7+1:2', taskId: 'task-7', sequence: 3n, groupSize: 8 });
    expect(request.tasks.map(({ taskId, sequence }) => [taskId, sequence])).toEqual([
      ['task-7', 3n],
      ['task-8', 4n],
    ]);
    const alone = tasks.map((of, i) => evaluationRequest(context, plan, { index: 3 + i, tasks: [of], now: 0, attempt: 2 }));
    expect(requestsOfEachTask(request)).toEqual(alone);
    expect(requestsOfEachTask(alone[0]!)).toEqual([]);
    const other = evaluationRequest(context, plan, {
      index: 3,
      tasks: [task, { id: 'task-9', json: '{"n":9}' }],
      now: 0,
      attempt: 2,
    });
    expect(requestContent(other)).not.toBe(requestContent(request));
  });

  it('runs a random planner several times a task', () => {
    const request = evaluationRequest(context, evaluationPlan('random', 0, 8), { index: 0, tasks: [task], now: 0 });
    expect(request).toMatchObject({ agent: Agent.RANDOM, groupSize: 8, evaluation: 'random@0' });
  });

  it('samples the policy as rollouts do, where that is measured', () => {
    const warm = { ...context, config: { ...context.config, rollout: { ...context.config.rollout, temperature: 0.7 } } };
    const request = evaluationRequest(warm, evaluationPlan('test-sampled', 40, 4), { index: 0, tasks: [task], now: 0 });
    expect(request).toMatchObject({ agent: Agent.POLICY, groupSize: 4, temperature: 0.7, evaluation: 'test-sampled@40' });
  });
});
