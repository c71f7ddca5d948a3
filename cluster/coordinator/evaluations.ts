import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { RolloutRequestSchema, ScoredGroupSchema, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { EvaluationTally, parseEvaluationKey } from '../../src/jobs/evaluation.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import { evaluationRequest, type EvaluationPlan, type RequestContext, type RequestTask } from '../../src/jobs/requests.ts';
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

/**
 * The evaluations of a job that are under way. They are kept in memory only: after a crash they are run again under message
 * ids of their own (`attempt` is the lease's token).
 */
export class RunningEvaluations {
  readonly #context: NodeContext;
  readonly #requests: RequestContext;
  readonly #attempt: number;
  readonly #tallies = new Map<string, { tally: EvaluationTally; moment: EvaluationMoment }>();

  constructor(context: NodeContext, requests: RequestContext, attempt: number) {
    this.#context = context;
    this.#requests = requests;
    this.#attempt = attempt;
  }

  get keys(): string[] {
    return [...this.#tallies.keys()];
  }

  /** The oldest one under way. */
  current(): { key: string; done: number; total: number } | undefined {
    const first = this.#tallies.values().next().value;
    return first && { key: first.tally.plan.key, done: first.tally.received, total: first.tally.expected };
  }

  async start(plan: EvaluationPlan, tasks: readonly RequestTask[], moment: EvaluationMoment): Promise<void> {
    this.#tallies.set(plan.key, { tally: new EvaluationTally(plan, tasks.length), moment });
    const now = this.#context.clock.now();
    const subject = `rollout.${this.#requests.job}`;
    for (const [index, task] of tasks.entries()) {
      const request = evaluationRequest(this.#requests, plan, { index, task, now, attempt: this.#attempt });
      await this.#context.bus.publish(subject, toBinary(RolloutRequestSchema, request), { id: request.id });
    }
  }

  /** Takes a scored group; returns the evaluation's result when it was the last one. */
  async take(message: BusMessage): Promise<EvaluationRecord | undefined> {
    let scored: ScoredGroup;
    try {
      scored = fromBinary(ScoredGroupSchema, message.data);
      if (!scored.request) throw new MillraceError('invalid_argument', 'it has no request', { field: 'request' });
      parseEvaluationKey(scored.request.evaluation);
    } catch (error) {
      message.term(`not a scored evaluation: ${MillraceError.from(error).message}`);
      return undefined;
    }
    const { request } = scored;
    const running = this.#tallies.get(request.evaluation);
    if (running && request.attempt === this.#attempt) running.tally.add({ taskId: request.taskId, flows: flowsOf(scored) });
    await message.ack();
    if (!running?.tally.complete) return undefined;
    this.#tallies.delete(request.evaluation);
    return running.tally.result(running.moment);
  }
}

function flowsOf(scored: ScoredGroup): { valid: boolean; success: boolean; reward: number; steps: number }[] {
  if (scored.scores.length === 0) {
    // A request that never came back (dead letter): every flow of it failed.
    return Array.from({ length: scored.request!.groupSize }, () => ({ valid: false, success: false, reward: 0, steps: 0 }));
  }
  return scored.scores.map(({ valid, success, reward, steps }) => ({ valid, success, reward, steps }));
}
