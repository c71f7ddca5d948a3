import { evaluationMetrics } from './metrics.ts';
import { parseEvaluationKey } from './names.ts';
import { encodeOutcomes } from './outcomes.ts';
import type { EvaluationRecord } from '../record.ts';
import type { EvaluationPlan } from '../requests.ts';
import type { EvaluatedTask } from './task.ts';

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
      metrics: evaluationMetrics(groups, this.plan.samples),
      types: byType(groups),
      ...(this.plan.samples === 1 && { outcomes: encodeOutcomes(groups) }),
    };
  }
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of [...words].sort()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Types that a record tells apart. */
const MAX_TYPES = 30;

function byType(tasks: readonly EvaluatedTask[]): EvaluationRecord['types'] {
  const types = new Map<string, { judged: number; successes: number }>();
  for (const { type = '', flows } of tasks) {
    if (type === '') continue;
    const counts = types.get(type) ?? { judged: 0, successes: 0 };
    types.set(type, counts);
    for (const { valid, success } of flows) {
      if (valid) counts.judged += 1;
      if (valid && success) counts.successes += 1;
    }
  }
  const ordered = [...types].sort(([a, m], [b, n]) => n.judged - m.judged || (a < b ? -1 : 1));
  return Object.fromEntries(ordered.slice(0, MAX_TYPES));
}
