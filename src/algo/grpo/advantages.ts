import type { StdKind } from '../config.ts';
import type { GroupRewards } from '../method.ts';
import { areEqual } from '../stats/equal.ts';

/** Options of {@link grpoAdvantages}. */
export interface AdvantageOptions {
  /** What the centred rewards are divided by. Default 'sample'. */
  std?: StdKind;
  /** Added to the standard deviation. Default 1e-4. */
  epsilon?: number;
  /** Rewards are equal when max - min is at most this share of the largest |R|, or of 1 if that is larger. Default 1e-12. */
  tolerance?: number;
  /** Members that count; the others get 0 and stay out of mean and deviation. Default: all with a finite reward. */
  valid?: readonly boolean[];
}

/**
 * Group-relative advantages, one per trajectory: (R_i - mean) / (std + epsilon) over the group's valid members.
 *
 * A group whose rewards are equal, or with fewer than two valid members, gives exactly 0 for everyone: in floating point
 * the residuals of the mean divided by a rounding-sized deviation would be of order one. Rewards that are not finite never
 * count, whatever `valid` says.
 *
 * Source: DeepSeekMath (arXiv 2402.03300), outcome supervision; the three conventions of the deviation: TRL (sample), verl (sample), Dr.GRPO (none).
 */
export function grpoAdvantages(rewards: readonly number[], options: AdvantageOptions = {}): number[] {
  const { std = 'sample', epsilon = 1e-4, tolerance, valid } = options;
  const advantages = new Array<number>(rewards.length).fill(0);
  const counts = rewards.map((reward, index) => Number.isFinite(reward) && (valid?.[index] ?? valid === undefined));
  const members = rewards.filter((_, index) => counts[index]);
  if (areEqual(members, tolerance)) return advantages;

  const { mean, deviation } = moments(members, std);
  if (!Number.isFinite(mean) || !Number.isFinite(deviation)) return inSmaller(rewards, { ...options, valid: counts }, members);
  const divisor = std === 'none' ? 1 : deviation + epsilon;
  rewards.forEach((reward, index) => {
    if (counts[index]) advantages[index] = (reward - mean) / divisor;
  });
  return advantages;
}

/** The rewards that count: finite ones of valid members. */
export function counted(rewards: readonly number[], valid?: readonly boolean[]): number[] {
  return rewards.filter((reward, i) => Number.isFinite(reward) && (valid?.[i] ?? true));
}

/** Advantages of rewards so large that their sum or variance overflows: in units of the largest one. */
function inSmaller(rewards: readonly number[], options: AdvantageOptions, members: readonly number[]): number[] {
  const { std = 'sample', epsilon = 1e-4 } = options;
  const unit = members.reduce((a, b) => Math.max(Math.abs(a), Math.abs(b)));
  const advantages = grpoAdvantages(
    rewards.map((reward) => reward / unit),
    { ...options, epsilon: epsilon / unit, tolerance: 0 },
  );
  return std === 'none' ? advantages.map((advantage) => advantage * unit) : advantages;
}

/** Mean and standard deviation of some rewards; 1 with 'none'. */
function moments(members: readonly number[], std: StdKind): { mean: number; deviation: number } {
  const mean = members.reduce((sum, reward) => sum + reward, 0) / members.length;
  const squares = members.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  if (std === 'none') return { mean, deviation: 1 };
  return { mean, deviation: Math.sqrt(squares / (std === 'sample' ? members.length - 1 : members.length)) };
}

/** What {@link grpoAdvantages} divides the centred rewards of a group by; 1 where it does not. */
export function divisorOf({ rewards, valid }: GroupRewards, std: StdKind, epsilon: number): number {
  const members = counted(rewards, valid);
  return std === 'none' || members.length < 2 ? 1 : moments(members, std).deviation + epsilon;
}

/** {@link grpoAdvantages} of a group as a method sees it; members sampled with forced exploration are compared with each other. */
export function groupRelative(group: GroupRewards, std: StdKind, epsilon: number): number[] {
  return apart(group, (valid) => grpoAdvantages(group.rewards, { std, epsilon, valid }));
}

/** Who is compared with somebody: members that count, of whose kind (sampled by the policy, or with forced exploration) there are two. */
export function comparable(group: GroupRewards): boolean[] {
  const marked = apart(group, (valid) => {
    const counts = group.rewards.map((reward, i) => Number.isFinite(reward) && valid[i]!);
    const several = counts.filter(Boolean).length > 1;
    return counts.map((does) => (does && several ? 1 : 0));
  });
  return marked.map((mark) => mark === 1);
}

/**
 * Runs `advantages` for the members that were sampled as the policy has it and for those sampled with forced exploration, each
 * with a mask of who counts, and puts the results together: the two kinds come from different distributions, and a baseline of
 * both would blame one for the other.
 */
export function apart({ valid, explored }: GroupRewards, advantages: (valid: boolean[]) => number[]): number[] {
  const usual = valid.map((is, i) => is && !(explored?.[i] ?? false));
  const result = advantages(usual);
  if (!(explored?.some(Boolean) ?? false)) return result;
  const forced = advantages(valid.map((is, i) => is && explored![i]!));
  return result.map((advantage, i) => (explored![i] ? forced[i]! : advantage));
}
