import { wilson } from '../algo/stats/wilson.ts';
import { percent } from './percent.ts';

/** Share of flows that may be left without a judgement before an evaluation is incomplete. */
const MAX_UNJUDGED_SHARE = 0.02;

/** The counts of an evaluation, as a record and the admin API have them. */
export interface EvaluationCounts {
  /** Flows in all. */
  tasks: number;
  successes: number;
  /** Flows that nobody could judge, for infrastructure reasons. */
  failed: number;
  /** `failed` by class of failure. Default: no classes are known. */
  failures?: Readonly<Record<string, number>>;
  /** Its figures; that of `success` has an interval which regards that flows of one task are alike. Default: none are known. */
  metrics?: Readonly<Record<string, { low?: number | undefined; high?: number | undefined }>>;
}

/** What a rate of success is a rate of. */
export interface SuccessRate {
  /** Success rate of the flows that were judged; 0 when there is none. */
  success: number;
  /** 95 % interval: Wilson's of one flow a task, Student's over the tasks of several; [0, 1] when nothing was judged. */
  ci95: [number, number];
  judged: number;
  notJudged: number;
  /** `notJudged` by class of failure. */
  failures: Record<string, number>;
  /** More than 2 % were not judged: those that were are no fair sample, and the rate is not to be compared with others. */
  incomplete: boolean;
}

/** Success rate of the flows that were judged, and how many those are. */
export function successRate({ tasks, successes, failed, failures = {}, metrics = {} }: EvaluationCounts): SuccessRate {
  const judged = tasks - failed;
  const { low, high } = metrics['success'] ?? {};
  return {
    success: judged > 0 ? successes / judged : 0,
    ci95: low === undefined || high === undefined ? wilson(successes, judged) : [low, high],
    judged,
    notJudged: failed,
    failures: { ...failures },
    incomplete: failed > tasks * MAX_UNJUDGED_SHARE,
  };
}

/** `8 of 8 judged, 4 not judged (REWARD_FAILED)`; `12 of 15 judged` when all were. The first number counts successes. */
export function judgementText(counts: EvaluationCounts): string {
  const judged = `${counts.successes} of ${counts.tasks - counts.failed} judged`;
  return counts.failed === 0 ? judged : `${judged}, ${counts.failed} not judged${classesText(counts)}`;
}

/** ` (REWARD_FAILED)`, ` (REWARD_FAILED 3, TOOL_TIMEOUT 1)`; the most frequent class first. */
function classesText({ failed, failures = {} }: EvaluationCounts): string {
  const classes = Object.entries(failures).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (classes.length === 0) return '';
  if (classes.length === 1 && classes[0]![1] === failed) return ` (${classes[0]![0]})`;
  return ` (${classes.map(([name, count]) => `${name} ${count}`).join(', ')})`;
}

/**
 * A rate for people: `71.2 %`, and where flows were not judged what it is a rate of: `100.0 %, incomplete: 8 of 8 judged, 4 not judged
 * (REWARD_FAILED)`. Without any judged flow there is no rate.
 */
export function rateText(counts: EvaluationCounts): string {
  const { success, judged, incomplete } = successRate(counts);
  const rate = judged > 0 ? percent(success) : 'no rate';
  if (counts.failed === 0) return rate;
  return `${rate}, ${incomplete ? 'incomplete: ' : ''}${judgementText(counts)}`;
}
