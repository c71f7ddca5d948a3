import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { RolloutRequestSchema, ScoredGroupSchema, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { EvaluationTally, parseEvaluationKey, type EvaluatedFlow } from '../../src/jobs/evaluation.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import {
  evaluationRequest,
  requestContent,
  type EvaluationPlan,
  type RequestContext,
  type RequestTask,
} from '../../src/jobs/requests.ts';
import type { NodeContext } from '../context.ts';

/** Durable of a job's evaluations on SCORED, made before the first request is sent. */
export function evaluationDurable(job: string): {
  stream: 'SCORED';
  durable: string;
  filter: string;
  maxInFlight: number;
  maxDeliver: number;
} {
  return { stream: 'SCORED', durable: `evaluations-${job}`, filter: `scored.${job}.evaluate`, maxInFlight: 256, maxDeliver: -1 };
}

/** How far along training was when an evaluation was started. */
export interface EvaluationMoment {
  trajectories: number;
  trainSeconds: number;
}

interface Running {
  tally: EvaluationTally;
  plan: EvaluationPlan;
  tasks: readonly RequestTask[];
  moment: EvaluationMoment;
}

/** Requests on their way to the queue at once. */
const AT_ONCE = 16;

/**
 * The evaluations of a job that are under way. They are kept in memory only: after a crash they are run again under message
 * ids of their own (`attempt` is the lease's token). Over a restart of the job's actor they stay.
 */
export class RunningEvaluations {
  readonly #context: NodeContext;
  readonly #requests: RequestContext;
  readonly #attempt: number;
  readonly #running = new Map<string, Running>();

  constructor(context: NodeContext, requests: RequestContext, attempt: number) {
    this.#context = context;
    this.#requests = requests;
    this.#attempt = attempt;
  }

  get keys(): string[] {
    return [...this.#running.keys()];
  }

  /** The oldest one under way. */
  current(): { key: string; done: number; total: number } | undefined {
    const first = this.#running.values().next().value;
    return first && { key: first.tally.plan.key, done: first.tally.received, total: first.tally.expected };
  }

  async start(plan: EvaluationPlan, tasks: readonly RequestTask[], moment: EvaluationMoment): Promise<void> {
    const running = { tally: new EvaluationTally(plan, tasks.length), plan, tasks, moment };
    this.#running.set(plan.key, running);
    await this.#send(running);
  }

  /** Asks again for all that has not come: an actor that fell over may have sent a part only. What was sent is not doubled. */
  async resend(isHeld: (id: string) => boolean): Promise<void> {
    for (const running of this.#running.values()) await this.#send(running, isHeld);
  }

  async #send({ tally, plan, tasks }: Running, isHeld: (id: string) => boolean = () => false): Promise<void> {
    const { bus, clock, metrics } = this.#context;
    const now = clock.now();
    const subject = `rollout.${this.#requests.job}`;
    const publish = async ({ index, task }: { index: number; task: RequestTask }): Promise<void> => {
      const request = evaluationRequest(this.#requests, plan, { index, task, now, attempt: this.#attempt });
      if (isHeld(request.id)) return;
      const same = { id: request.id, content: requestContent(request) };
      await publishWithRoom(bus, subject, toBinary(RolloutRequestSchema, request), { ...same, clock });
      metrics.count('requests_total', { job: this.#requests.job, purpose: 'evaluate' });
    };
    const missing = tasks.map((task, index) => ({ index, task })).filter(({ task }) => !tally.has(task.id));
    // Training is not admitted meanwhile: a round trip for each task would hold it up.
    for (let at = 0; at < missing.length; at += AT_ONCE) await Promise.all(missing.slice(at, at + AT_ONCE).map(publish));
  }

  /** Takes a scored group. */
  async take(message: BusMessage): Promise<void> {
    let scored: ScoredGroup;
    try {
      scored = fromBinary(ScoredGroupSchema, message.data);
      if (!scored.request) throw new MillraceError('invalid_argument', 'it has no request', { field: 'request' });
      parseEvaluationKey(scored.request.evaluation);
    } catch (error) {
      message.term(`not a scored evaluation: ${MillraceError.from(error).message}`);
      return;
    }
    const { request } = scored;
    const running = this.#running.get(request.evaluation);
    if (running && request.attempt === this.#attempt) running.tally.add({ taskId: request.taskId, flows: flowsOf(scored) });
    await message.ack();
  }

  /** Results of those that are complete, oldest first: they stay until {@link forget}, when they are kept elsewhere. */
  finished(): EvaluationRecord[] {
    return [...this.#running.values()].flatMap(({ tally, moment }) => (tally.complete ? [tally.result(moment)] : []));
  }

  forget({ name, policyVersion }: EvaluationRecord): void {
    this.#running.delete(`${name}@${policyVersion}`);
  }
}

function flowsOf(scored: ScoredGroup): EvaluatedFlow[] {
  const failure = FailureClass[scored.failure];
  if (scored.scores.length === 0) {
    // A request that never came back (dead letter): every flow of it failed.
    return Array.from({ length: scored.request!.groupSize }, () => ({
      valid: false,
      success: false,
      reward: 0,
      steps: 0,
      failure,
    }));
  }
  return scored.scores.map(({ valid, success, reward, steps }) => ({
    ...{ valid, success, reward, steps },
    ...(!valid && { failure }),
  }));
}
