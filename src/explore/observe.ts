import { keepsArms, type ExplorationJob } from '../config/job/exploration.ts';
import { updateValues } from './values.ts';
import type { Arm, ExplorationState, TaskRecord } from './state.ts';
import { nextMultiplier } from './temperature.ts';

/** In place of the index of a tool: the step called none. It counts for no tool. */
export const NO_TOOL = 0xffffffff;

/** A scored group as exploration sees it; a `ScoredGroup` is one. */
export interface ObservedGroup {
  readonly request?: { readonly taskId: string; readonly sequence: bigint } | undefined;
  /** One per trajectory. */
  readonly scores: readonly {
    readonly valid: boolean;
    readonly outcome: number;
    readonly reward: number;
    readonly explored: boolean;
    readonly stepRewards: readonly number[];
  }[];
  /** One per trajectory, or none at all. */
  readonly signals: readonly { readonly tool: readonly number[]; readonly bucket: readonly number[] }[];
}

/** A round that is about to be committed. */
export interface ObservedRound {
  /** The version it makes. */
  version: number;
  /** Mean entropy of its decisions in nats, where it was measured. */
  entropy?: number | undefined;
}

/** Records thinner than this say nothing more and are dropped. */
const FORGOTTEN = 1e-3;

/**
 * The state after a round: older records discounted, the round's groups added in the order of their sequence. A pure function,
 * so that a round that is assembled again after a crash gives the same state. Failed members count for nothing. Members that
 * were sampled with forced exploration count for their tools, not for their task: its record is about the policy.
 */
export function observeRound(
  state: ExplorationState,
  groups: readonly ObservedGroup[],
  job: ExplorationJob,
  round: ObservedRound,
): ExplorationState {
  const { exploration, curriculum, rollout } = job;
  const ordered = [...groups].sort((a, b) => Number((a.request?.sequence ?? 0n) - (b.request?.sequence ?? 0n)));
  return {
    version: round.version,
    temperature: nextMultiplier(exploration.temperature, {
      base: rollout.temperature,
      multiplier: state.temperature,
      entropy: round.entropy,
    }),
    arms: keepsArms(job) ? observeArms(state, ordered, job) : new Map(),
    tasks: curriculum.enabled ? observeTasks(state, ordered, curriculum.decay) : new Map(),
  };
}

function observeTasks(state: ExplorationState, groups: readonly ObservedGroup[], decay: number): Map<string, TaskRecord> {
  const tasks = new Map<string, TaskRecord>();
  for (const [id, { good, bad }] of state.tasks)
    if ((good + bad) * decay > FORGOTTEN) tasks.set(id, { good: good * decay, bad: bad * decay });
  for (const { request, scores } of groups) {
    if (request === undefined) continue;
    for (const score of scores) {
      if (!score.valid || score.explored) continue;
      const record = tasks.get(request.taskId) ?? { good: 0, bad: 0 };
      const outcome = unit(score.outcome);
      tasks.set(request.taskId, { good: record.good + outcome, bad: record.bad + 1 - outcome });
    }
  }
  return tasks;
}

function observeArms(
  state: ExplorationState,
  groups: readonly ObservedGroup[],
  { exploration }: ExplorationJob,
): Map<number, Map<number, Arm>> {
  const { decay, valueRate: rate, valueDiscount: discount } = exploration;
  const arms = new Map<number, Map<number, Arm>>();
  for (const [bucket, tools] of state.arms)
    for (const [tool, arm] of tools) {
      if (arm.visits * decay <= FORGOTTEN) continue;
      const kept = { good: arm.good * decay, bad: arm.bad * decay, visits: arm.visits * decay, value: arm.value };
      armsOf(arms, bucket).set(tool, kept);
    }
  for (const { scores, signals } of groups)
    for (const [i, score] of scores.entries()) {
      const { tool = [], bucket = [] } = signals[i] ?? {};
      const steps = Math.min(tool.length, bucket.length);
      if (!score.valid || steps === 0) continue;
      const outcome = unit(score.outcome);
      const seen = new Set<Arm>();
      const path: Arm[] = [];
      const taken: number[] = [];
      for (let t = 0; t < steps; t++) {
        if (tool[t] === NO_TOOL) continue;
        taken.push(t);
        const arm = armOf(arms, bucket[t]!, tool[t]!);
        arm.visits += 1;
        path.push(arm);
        // Once a trajectory: an action repeated twenty times is not twenty times the evidence.
        if (seen.has(arm)) continue;
        seen.add(arm);
        arm.good += outcome;
        arm.bad += 1 - outcome;
      }
      const rewards = score.stepRewards.length === steps ? score.stepRewards : undefined;
      const rewardOf = (k: number): number =>
        rewards ? sumOf(rewards, taken[k]!, taken[k + 1] ?? steps) : k === taken.length - 1 ? score.reward : 0;
      updateValues(path, rewardOf, { rate, discount });
    }
  return arms;
}

/** Steps that called no tool count for the tool before them. */
function sumOf(rewards: readonly number[], from: number, end: number): number {
  let sum = rewards[from]!;
  for (let t = from + 1; t < end; t++) sum += rewards[t]!;
  return sum;
}

function armsOf(arms: Map<number, Map<number, Arm>>, bucket: number): Map<number, Arm> {
  let tools = arms.get(bucket);
  if (tools === undefined) arms.set(bucket, (tools = new Map<number, Arm>()));
  return tools;
}

function armOf(arms: Map<number, Map<number, Arm>>, bucket: number, tool: number): Arm {
  const tools = armsOf(arms, bucket);
  let arm = tools.get(tool);
  if (arm === undefined) tools.set(tool, (arm = { good: 0, bad: 0, visits: 0, value: 0 }));
  return arm;
}

/** Posteriors are of a success probability: outcomes outside of 0 to 1 count as its ends. */
function unit(outcome: number): number {
  return Math.min(1, Math.max(0, outcome));
}
