import { allInRange, columns } from '../check.ts';
import { meanInterval, pairedDifferenceInterval, type Interval, type PairedCounts } from './interval.ts';
import { mcNemar } from './paired.ts';
import { sequentialTest, type SequentialOptions, type SequentialResult } from './sequential.ts';

/** Two policies on the same tasks. */
export interface PairedComparison extends SequentialResult {
  tasks: number;
  /** Tasks on which the candidate succeeds more often. */
  wins: number;
  /** Tasks on which the baseline does. */
  losses: number;
  /** Difference of the success rates, candidate - baseline, -1 to 1. */
  difference: number;
  /** 95 % interval of the difference: Newcombe's of one flow a task, Student's over the tasks of several. [-1, 1] without tasks. */
  ci95: Interval;
  /** Exact p-value of McNemar's test, for a number of tasks that was fixed beforehand. */
  pValue: number;
}

/**
 * Compares two policies on the same tasks. A task counts once, so that flows of one task, which are alike, are not taken for as many
 * independent ones.
 *
 * @param candidate - success rate of the candidate on each task, 0 to 1
 * @param baseline - the same of the baseline, in the same order of tasks
 */
export function comparePaired(
  candidate: ArrayLike<number>,
  baseline: ArrayLike<number>,
  options: SequentialOptions = {},
): PairedComparison {
  columns({ candidate, baseline });
  allInRange('candidate', candidate, { min: 0, max: 1 });
  allInRange('baseline', baseline, { min: 0, max: 1 });
  const counts: PairedCounts = { both: 0, wins: 0, losses: 0, neither: 0 };
  const differences: number[] = [];
  let once = true;
  for (let i = 0; i < candidate.length; i++) {
    const [a, b] = [candidate[i]!, baseline[i]!];
    differences.push(a - b);
    once &&= Number.isInteger(a) && Number.isInteger(b);
    counts[a > b ? 'wins' : a < b ? 'losses' : a === 0 ? 'neither' : 'both'] += 1;
  }
  const tasks = differences.length;
  const { wins, losses } = counts;
  return {
    ...{ tasks, wins, losses },
    difference: tasks === 0 ? 0 : differences.reduce((sum, value) => sum + value, 0) / tasks,
    ci95: once ? pairedDifferenceInterval(counts) : within(meanInterval(differences)),
    pValue: mcNemar({ wins, losses }),
    ...sequentialTest({ wins, losses }, options),
  };
}

function within([low, high]: Interval): Interval {
  return [Math.max(-1, low), Math.min(1, high)];
}
