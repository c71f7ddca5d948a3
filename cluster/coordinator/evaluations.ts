import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import type { RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { evaluationKey } from '../../src/jobs/evaluation/names.ts';
import { EvaluationTally } from '../../src/jobs/evaluation/tally.ts';
import { evaluatedFlow, type EvaluatedFlow } from '../../src/jobs/evaluation/task.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import { flowsPerTask, tasksOf } from '../../src/records/request-tasks.ts';
import { evaluationRequest, type EvaluationPlan, type RequestContext, type RequestTask } from '../../src/jobs/requests.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { RequestSender } from './request-sender.ts';

/** How far along training was when an evaluation was started. */
export interface EvaluationMoment {
  trajectories: number;
  trainSeconds: number;
}

/** What one request asks for: tasks of an evaluation that lie side by side. */
interface AskedTasks {
  /** Place of the first among all. */
  index: number;
  tasks: readonly RequestTask[];
}

interface Running {
  tally: EvaluationTally;
  plan: EvaluationPlan;
  /** All its requests. */
  requests: readonly AskedTasks[];
  moment: EvaluationMoment;
  /** Those that have not been sent in this life of the job's actor; undefined: not known. */
  unsent: readonly AskedTasks[] | undefined;
  /** Those that were sent in it. */
  asked: readonly AskedTasks[];
}

/**
 * The evaluations of a job that are under way. They are kept in memory only: after a crash they are run again under message
 * ids of their own (`attempt`, another for each coordinator that takes the job). Over a restart of the job's actor they stay.
 */
export class RunningEvaluations {
  readonly #context: NodeContext;
  readonly #requests: RequestContext;
  #attempt: number;
  readonly #sender: RequestSender;
  readonly #running = new Map<string, Running>();

  constructor(context: NodeContext, requests: RequestContext, { attempt, sender }: { attempt: number; sender: RequestSender }) {
    this.#context = context;
    this.#requests = requests;
    this.#attempt = attempt;
    this.#sender = sender;
  }

  /** Of the requests that are answered now; see {@link sendAgain}. */
  get attempt(): number {
    return this.#attempt;
  }

  get keys(): string[] {
    return [...this.#running.keys()];
  }

  /** Some of their requests have not been sent in this life of the job's actor. */
  get unsent(): boolean {
    return [...this.#running.values()].some(({ unsent }) => unsent === undefined || unsent.length > 0);
  }

  /** Requests that were sent in this life of the job's actor and have not come back. */
  get underWay(): number {
    return [...this.#running.values()].reduce(
      (sum, { tally, asked }) => sum + asked.filter((request) => !hasAll(tally, request)).length,
      0,
    );
  }

  /** The oldest one under way. */
  current(): { key: string; done: number; total: number } | undefined {
    const first = this.#running.values().next().value;
    return first && { key: first.tally.plan.key, done: first.tally.received, total: first.tally.expected };
  }

  /** Begins an evaluation; {@link send} asks for its tasks. */
  start(plan: EvaluationPlan, tasks: readonly RequestTask[], moment: EvaluationMoment): void {
    const tally = new EvaluationTally(plan, tasks.length);
    const requests = inRequests(tasks, Math.max(1, Math.floor(this.#requests.config.rollout.groupSize / plan.samples)));
    this.#running.set(plan.key, { tally, plan, requests, moment, unsent: undefined, asked: [] });
  }

  /** Requests or results were lost: what has not come is asked for under other ids. */
  sendAgain(attempt: number): void {
    this.#attempt = attempt;
    this.forgetSent();
  }

  /** From now on everything that has not come is asked for again: an actor that fell over may have sent a part only. */
  forgetSent(): void {
    for (const running of this.#running.values()) forgetSent(running);
  }

  /**
   * Asks for what has not been asked for, in at most `limit` requests. False when the job was paused or has ended before all of those were. What
   * was sent is not doubled, and what is held is sent by whoever holds it.
   */
  async send(limit: number, signal: AbortSignal, isHeld: (request: string) => boolean): Promise<boolean> {
    let left = limit;
    for (const running of this.#running.values()) {
      const { tally, plan } = running;
      if (running.unsent === undefined) this.#begin(running);
      const missing = running.unsent!.slice(0, left);
      if (missing.length === 0) continue;
      const now = this.#context.clock.now();
      const make = (of: AskedTasks): RolloutRequest | undefined => {
        const request = evaluationRequest(this.#requests, plan, { ...of, now, attempt: this.#attempt });
        return hasAll(tally, of) || isHeld(request.id) ? undefined : request;
      };
      if (!(await this.#sender.sendAll(missing, make, signal))) {
        forgetSent(running);
        return false;
      }
      // They may have been forgotten meanwhile.
      running.unsent = running.unsent?.slice(missing.length);
      running.asked = [...running.asked, ...missing].filter((request) => !hasAll(tally, request));
      left -= missing.length;
    }
    return true;
  }

  #begin(running: Running): void {
    const { tally, requests } = running;
    running.unsent = requests.filter((request) => !hasAll(tally, request));
    running.asked = [];
  }

  /**
   * Counts a scored group; nothing that was asked for in an earlier attempt. False for one of a later attempt: it is for the coordinator that
   * has taken the job meanwhile.
   */
  add(scored: AnsweredRequest): boolean {
    const { request } = scored;
    if (request.attempt > this.#attempt) return false;
    const running = this.#running.get(request.evaluation);
    if (!running || request.attempt !== this.#attempt) return true;
    const flows = flowsOf(scored);
    const each = flowsPerTask(request);
    for (const [i, { taskId }] of tasksOf(request).entries())
      running.tally.add({ taskId, type: scored.taskTypes[i] ?? '', flows: flows.slice(i * each, (i + 1) * each) });
    return true;
  }

  /** Results of those that are complete, oldest first: they stay until {@link forget}, when they are kept elsewhere. */
  finished(): EvaluationRecord[] {
    return [...this.#running.values()].flatMap(({ tally, moment }) => (tally.complete ? [tally.result(moment)] : []));
  }

  forget({ name, policyVersion }: EvaluationRecord): void {
    this.#running.delete(evaluationKey(name, policyVersion));
  }
}

/** Nothing of it is under way any more: what does not come must not keep what is asked for instead from being sent. */
function forgetSent(running: Running): void {
  running.unsent = undefined;
  running.asked = [];
}

/**
 * As many flows a request as a group of training has: each is a message in three streams, which costs as much as running a short flow.
 * Always cut at the same places, so that what is asked for again is the same request.
 */
function inRequests(tasks: readonly RequestTask[], each: number): AskedTasks[] {
  return Array.from({ length: Math.ceil(tasks.length / each) }, (_, i) => ({
    index: i * each,
    tasks: tasks.slice(i * each, (i + 1) * each),
  }));
}

function hasAll(tally: EvaluationTally, { tasks }: AskedTasks): boolean {
  return tasks.every(({ id }) => tally.has(id));
}

function flowsOf(scored: AnsweredRequest): EvaluatedFlow[] {
  const failure = FailureClass[scored.failure];
  if (scored.scores.length === 0) {
    // A request that never came back (dead letter): every flow of it failed.
    return Array.from({ length: scored.request.groupSize }, () => ({
      valid: false,
      success: false,
      reward: 0,
      steps: 0,
      failure,
    }));
  }
  return scored.scores.map((score) => ({
    ...evaluatedFlow(score),
    ...(!score.valid && { failure: FailureClass[score.failure || scored.failure] }),
  }));
}
