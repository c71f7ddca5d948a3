import { create } from '@bufbuild/protobuf';
import { methodOf } from '../algo/registry.ts';
import type { JobConfig } from '../config/job.ts';
import { Agent, Purpose, RolloutRequestSchema, type RolloutRequest } from '../gen/millrace/v1/training_pb.ts';
import { seedFrom } from '../random/seeded.ts';

/** A task as it travels in requests. */
export interface RequestTask {
  id: string;
  json: string;
}

/** What is the same in all requests of a job. */
export interface RequestContext {
  job: string;
  config: Pick<JobConfig, 'seed' | 'rollout' | 'algorithm'>;
  /** Fencing token of the job actor's lease. Default 0. */
  fence?: bigint | number;
}

/** What differs between two training requests. */
export interface TrainingRequest {
  /** Position in the job's sequence of requests, from 0. */
  sequence: number;
  task: RequestTask;
  /** Newest committed version. */
  policyVersion: number;
  /** Clock.now() in milliseconds. */
  now: number;
  /** Sampling temperature. Default: `rollout.temperature`. */
  temperature?: number;
  /** The task may come twice in its round: the id carries the sequence. Default: only where the round holds two epochs. */
  repeats?: boolean;
  /** Grows when the same sequence is dispatched anew under another message id. Default 0. */
  attempt?: number;
}

/** The nominal round of a request: the round it is used in when nothing expires or fails. */
function roundOf(sequence: number, groupsPerRound: number): number {
  return Math.floor(sequence / groupsPerRound);
}

/** `<job>:<round>:<task>:<attempt>`: also the message id of all that follows from the request. */
function requestId(job: string, round: number | string, task: string, attempt: number): string {
  return `${job}:${round}:${task}:${attempt}`;
}

/**
 * The training request with this sequence. Nothing in it but the version, a scheduled temperature, the fence and the time
 * depends on when it is built: a resumed job asks for the same flows with the same random numbers. Where one round may hold a
 * task twice (more groups a round than tasks, or a curriculum), the ids of the further ones carry `#<sequence>`, because
 * message ids must differ.
 */
export function requestFor(context: RequestContext, request: TrainingRequest, tasks = Number.POSITIVE_INFINITY): RolloutRequest {
  const { seed, rollout, algorithm } = context.config;
  const { sequence, task, attempt = 0 } = request;
  const round = roundOf(sequence, rollout.groupsPerRound);
  const once = request.repeats === undefined ? spansOneEpoch(sequence, rollout.groupsPerRound, tasks) : !request.repeats;
  const unique = once ? '' : `#${sequence}`;
  return create(RolloutRequestSchema, {
    id: requestId(context.job, round, `${task.id}${unique}`, attempt),
    job: context.job,
    sequence: BigInt(sequence),
    purpose: Purpose.TRAIN,
    agent: methodOf(algorithm).imitates === 'rule' ? Agent.RULE : Agent.POLICY,
    taskId: task.id,
    taskJson: task.json,
    groupSize: rollout.groupSize,
    policyVersion: request.policyVersion,
    pinned: false,
    temperature: request.temperature ?? rollout.temperature,
    seed: seedFrom(seed, 'train', sequence),
    evaluation: '',
    dispatchedAtUs: microseconds(request.now),
    fence: BigInt(context.fence ?? 0),
    attempt,
  });
}

/**
 * What makes two messages the same request, or what follows from the same request: all that its flows depend on. Not when, under which
 * lease and at which newest version it was sent, so that a request that is sent again is the same one.
 */
export function requestContent(request: RolloutRequest): string {
  const { job, sequence, purpose, agent, taskId, taskJson, groupSize, pinned, policyVersion, seed, evaluation, attempt } =
    request;
  const version = pinned ? policyVersion : -1;
  const tasks = request.tasks.map((task) => [task.taskId, task.taskJson, task.seed]);
  const content = [job, String(sequence), purpose, agent, taskId, taskJson, groupSize, version, seed, evaluation, attempt];
  return JSON.stringify(tasks.length === 0 ? content : [...content, tasks]);
}

/** Only a round that touches two epochs can hold the same task twice. */
function spansOneEpoch(sequence: number, groupsPerRound: number, tasks: number): boolean {
  const first = sequence - (sequence % groupsPerRound);
  return Math.floor(first / tasks) === Math.floor((first + groupsPerRound - 1) / tasks);
}

/** Who decides in an evaluation, and how often each task is run. */
export interface EvaluationPlan {
  /** Key of the evaluation, e.g. `trained@40` (see evaluation/names.ts). */
  key: string;
  agent: Agent;
  /** Run exactly this version. */
  policyVersion: number;
  /** Flows a task: 1, or more for an agent that acts at random. */
  samples: number;
  taskSet: 'validation' | 'test';
  /** At the sampling temperature; otherwise greedy. */
  sampled: boolean;
}

/** What differs between two requests of an evaluation. */
export interface MeasuredTasks {
  /** Place of the first task among all of the evaluation. */
  index: number;
  /** At least one. */
  tasks: readonly RequestTask[];
  /** Clock.now() in milliseconds. */
  now: number;
  /** Grows when the same tasks are asked for anew under another message id. Default 0. */
  attempt?: number;
}

/**
 * The request that measures some tasks, each as often as the plan says. Pinned to the version; it never trains and is in no ledger. Of
 * several tasks it has an id of its own, `<job>:<evaluation>:<first task>+<further tasks>:<attempt>`.
 */
export function evaluationRequest(context: RequestContext, plan: EvaluationPlan, request: MeasuredTasks): RolloutRequest {
  const { index, tasks, attempt = 0 } = request;
  // The same numbers at every version: a difference between two evaluations is a difference between the policies.
  const all = tasks.map(({ id, json }, i) => ({
    taskId: id,
    taskJson: json,
    seed: seedFrom(context.config.seed, 'evaluate', id),
    sequence: BigInt(index + i),
  }));
  const first = all[0]!;
  const several = tasks.length > 1;
  return create(RolloutRequestSchema, {
    ...first,
    id: requestId(context.job, plan.key, several ? `${first.taskId}+${tasks.length - 1}` : first.taskId, attempt),
    job: context.job,
    purpose: Purpose.EVALUATE,
    agent: plan.agent,
    groupSize: plan.samples * tasks.length,
    policyVersion: plan.policyVersion,
    pinned: true,
    temperature: plan.sampled ? context.config.rollout.temperature : 0,
    evaluation: plan.key,
    dispatchedAtUs: microseconds(request.now),
    fence: BigInt(context.fence ?? 0),
    attempt,
    ...(several && { tasks: all }),
  });
}

/** A request of an evaluation for each task of one about several; none of a request about one task. */
export function requestsOfEachTask(request: RolloutRequest): RolloutRequest[] {
  const { job, evaluation, attempt, tasks } = request;
  return tasks.map(({ taskId, taskJson, seed, sequence }) =>
    create(RolloutRequestSchema, {
      ...request,
      ...{ taskId, taskJson, seed, sequence, tasks: [] },
      id: requestId(job, evaluation, taskId, attempt),
      groupSize: request.groupSize / tasks.length,
    }),
  );
}

function microseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1000));
}
