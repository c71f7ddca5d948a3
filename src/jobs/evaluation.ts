import { create } from '@bufbuild/protobuf';
import type { JobConfig } from '../config/job.ts';
import { MillraceError } from '../errors.ts';
import { EvaluationSchema, type Evaluation } from '../gen/millrace/v1/admin_pb.ts';
import { Agent } from '../gen/millrace/v1/training_pb.ts';
import { successRate } from './success-rate.ts';
import type { EvaluationRecord } from './record.ts';
import type { EvaluationPlan } from './requests.ts';

/** What is measured: the planner in training and what it is compared with. */
export const EVALUATION_NAMES = ['do-nothing', 'random', 'untrained', 'rule', 'trained'] as const;

/** One of {@link EVALUATION_NAMES}. */
export type EvaluationName = (typeof EVALUATION_NAMES)[number];

const AGENTS: Readonly<Record<EvaluationName, Agent>> = {
  'do-nothing': Agent.NOTHING,
  random: Agent.RANDOM,
  untrained: Agent.POLICY,
  rule: Agent.RULE,
  trained: Agent.POLICY,
};

/** `trained@40`: what requests carry in `evaluation`. */
function evaluationKey(name: EvaluationName, version: number): string {
  return `${name}@${version}`;
}

export function parseEvaluationKey(key: string): { name: EvaluationName; version: number } {
  const match = /^([a-z-]+)@(\d+)$/.exec(key);
  const name = EVALUATION_NAMES.find((candidate) => candidate === match?.[1]);
  if (name === undefined || match?.[2] === undefined) {
    throw new MillraceError('invalid_argument', `"${key}" is no evaluation; expected <name>@<version>, e.g. trained@40`, {
      field: 'evaluation',
    });
  }
  return { name, version: Number(match[2]) };
}

/** Flows a task for the random planner, whose rate is small and noisy. */
const RANDOM_SAMPLES = 8;

export function evaluationPlan(name: EvaluationName, version: number, randomSamples = RANDOM_SAMPLES): EvaluationPlan {
  return {
    key: evaluationKey(name, version),
    agent: AGENTS[name],
    policyVersion: version,
    samples: name === 'random' ? randomSamples : 1,
  };
}

/** What {@link evaluationsDue} decides by. */
export interface EvaluationSchedule {
  /** Committed rounds = newest version. */
  version: number;
  rounds: number;
  evaluation: JobConfig['evaluation'];
  /** Whether the flow has a rule planner. */
  hasRule: boolean;
  /** Keys that were started or finished already. */
  done: ReadonlySet<string>;
}

/** The evaluations to start now: baselines before training, then every `every` rounds and at the end; of no rounds at all, what it starts with. */
export function evaluationsDue(schedule: EvaluationSchedule): EvaluationPlan[] {
  const { version, rounds, evaluation, hasRule, done } = schedule;
  const names: EvaluationName[] = [];
  if (version === 0 && evaluation.baselines) {
    names.push('do-nothing', 'random', 'untrained');
    if (hasRule) names.push('rule');
  }
  const regular = evaluation.every > 0 && version > 0 && version % evaluation.every === 0;
  if (regular || (version >= rounds && (version > 0 || rounds === 0))) names.push('trained');
  return names.map((name) => evaluationPlan(name, version)).filter((plan) => !done.has(plan.key));
}

/** One task's part of an evaluation. */
export interface EvaluatedTask {
  taskId: string;
  /** One per flow, in index order. Flows without a valid score failed for infrastructure reasons. */
  flows: readonly EvaluatedFlow[];
}

/** One flow of an evaluation. */
export interface EvaluatedFlow {
  valid: boolean;
  success: boolean;
  reward: number;
  steps: number;
  /** Class of failure of a flow that is not valid, e.g. `REWARD_FAILED`. */
  failure?: string;
}

/** What one task came to: a line of `millrace eval`. Means over the flows that are valid. */
export interface TaskResult {
  id: string;
  success: boolean;
  reward: number;
  steps: number;
}

/** Collects the groups of one evaluation; a task that comes twice (redelivery) counts once. */
export class EvaluationTally {
  readonly #tasks = new Map<string, EvaluatedTask>();
  readonly plan: EvaluationPlan;
  /** Tasks that must come. */
  readonly expected: number;

  constructor(plan: EvaluationPlan, expected: number) {
    this.plan = plan;
    this.expected = expected;
  }

  /** Returns false when this task was there already. */
  add(task: EvaluatedTask): boolean {
    if (this.#tasks.has(task.taskId)) return false;
    this.#tasks.set(task.taskId, task);
    return true;
  }

  has(taskId: string): boolean {
    return this.#tasks.has(taskId);
  }

  get received(): number {
    return this.#tasks.size;
  }

  get complete(): boolean {
    return this.#tasks.size >= this.expected;
  }

  /** In the order they came; tasks whose flows all failed are left out. */
  tasks(): TaskResult[] {
    return [...this.#tasks.values()].flatMap((task) => {
      const valid = task.flows.filter((flow) => flow.valid);
      if (valid.length === 0) return [];
      const mean = (of: (flow: (typeof valid)[number]) => number) =>
        valid.reduce((sum, flow) => sum + of(flow), 0) / valid.length;
      return [
        {
          id: task.taskId,
          success: valid.every((flow) => flow.success),
          reward: mean((flow) => flow.reward),
          steps: mean((flow) => flow.steps),
        },
      ];
    });
  }

  /** The result so far. `tasks` counts flows; the success rate is successes / (tasks − failed). */
  result(at: { trajectories: number; trainSeconds: number }): EvaluationRecord {
    const { name, version } = parseEvaluationKey(this.plan.key);
    // Summed in task order, not in order of arrival: the same flows give the same figures to the last bit.
    const groups = [...this.#tasks.values()].sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
    const flows = groups.flatMap((group) => group.flows);
    const valid = flows.filter((flow) => flow.valid);
    const mean = (total: number) => (valid.length === 0 ? 0 : total / valid.length);
    return {
      name,
      policyVersion: version,
      tasks: flows.length,
      successes: valid.filter((flow) => flow.success).length,
      failed: flows.length - valid.length,
      meanReward: mean(valid.reduce((sum, flow) => sum + flow.reward, 0)),
      trajectories: at.trajectories,
      trainSeconds: at.trainSeconds,
      meanSteps: mean(valid.reduce((sum, flow) => sum + flow.steps, 0)),
      failures: countBy(flows.flatMap(({ valid: judged, failure }) => (judged || failure === undefined ? [] : [failure]))),
    };
  }
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

export function toProtoEvaluation(record: EvaluationRecord): Evaluation {
  const { incomplete } = successRate(record);
  return create(EvaluationSchema, { ...record, trajectories: BigInt(record.trajectories), incomplete });
}
