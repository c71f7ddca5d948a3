import type { JobConfig } from '../../src/config/job.ts';
import { Verdict, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { UpdateRow } from '../../src/records/tables.ts';

/** One group of a round as the record of the round needs it. */
export interface UsedGroup {
  scored: ScoredGroup;
  staleness: number;
}

/** Everything that is known about a committed round. */
export interface RoundFacts {
  job: string;
  config: JobConfig;
  /** The version the round made. */
  version: number;
  /** Groups with and without signal that closed the round. */
  groups: readonly UsedGroup[];
  expired: number;
  failed: number;
  decisions: number;
  /** Means over the round, of what was computed before its updates. */
  means: Readonly<Record<string, number>>;
  /** Updates made: epochs × mini-batches with a signal. */
  updates: number;
  weight: number;
  /** Sums over the round, to be divided by `weight`. */
  sums: Readonly<Record<string, number>>;
  gradientNorm: number;
  learningRate: number;
  waitMs: number;
  computeMs: number;
  commitMs: number;
  roundMs: number;
  learners: number;
  shards: number;
  now: number;
}

/** The row of table `updates` for a round. */
export function updateRowOf(facts: RoundFacts): UpdateRow {
  const scores = facts.groups.flatMap(({ scored }) => scored.scores.filter((score) => score.valid));
  const mean = (values: readonly number[]): number =>
    values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
  const staleness = facts.groups.map((group) => group.staleness);
  const perWeight = (name: string): number => (facts.weight > 0 ? (facts.sums[name] ?? 0) / facts.weight : 0);
  const trained = facts.groups.filter(({ scored }) => scored.verdict === Verdict.SIGNAL).length;
  return {
    job: facts.job,
    version: facts.version,
    groups: facts.groups.length,
    trained,
    filtered: facts.groups.length - trained,
    expired: facts.expired,
    failed: facts.failed,
    trajectories: scores.length,
    decisions: facts.decisions,
    ...rewardColumns(scores.map(({ reward }) => reward)),
    success_mean: mean(scores.map((score) => (score.success ? 1 : 0))),
    staleness_mean: mean(staleness),
    staleness_max: staleness.length === 0 ? 0 : Math.max(...staleness),
    loss: perWeight('loss'),
    entropy: perWeight('entropy'),
    kl: perWeight('kl'),
    clip_fraction: perWeight('clipFraction'),
    gradient_norm: facts.gradientNorm,
    learning_rate: facts.learningRate,
    wait_groups_ms: facts.waitMs,
    compute_ms: facts.computeMs,
    commit_ms: facts.commitMs,
    round_ms: facts.roundMs,
    learners: facts.learners,
    shards: facts.shards,
    committed_at: Math.round(facts.now * 1000),
    metrics: {
      updates: facts.updates,
      ...facts.means,
      ...Object.fromEntries(Object.keys(facts.sums).map((name) => [name, perWeight(name)])),
    },
  };
}

/** Mean, standard deviation of the sample and largest; 0 without trajectories. */
function rewardColumns(rewards: readonly number[]): Pick<UpdateRow, 'reward_mean' | 'reward_std' | 'reward_max'> {
  const n = rewards.length;
  const mean = n === 0 ? 0 : rewards.reduce((sum, reward) => sum + reward, 0) / n;
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  return {
    reward_mean: mean,
    reward_std: n < 2 ? 0 : Math.sqrt(squares / (n - 1)),
    reward_max: rewards.reduce((most, reward) => Math.max(most, reward), n === 0 ? 0 : -Infinity),
  };
}
