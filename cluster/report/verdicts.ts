import { wilson } from '../../src/algo/stats/wilson.ts';
import type { Estimate, Evaluation } from '../../src/gen/millrace/v1/admin_pb.ts';

/** What can be said of a difference: its 95 % interval is above 0, below 0, or has 0 in it. */
export type Verdict = 'better' | 'worse' | 'no difference shown';

/** One metric before and after. */
export interface MetricVerdict {
  metric: string;
  before: number;
  after: number;
  verdict: Verdict;
}

/** Success on tasks of one type, before and after, of the flows that were judged. */
export interface TypeVerdict {
  type: string;
  tasks: number;
  /** Null where it was not measured before. */
  before: number | null;
  after: number;
  verdict: Verdict;
}

/** Metrics of which less is better. */
const COSTS: ReadonlySet<string> = new Set(['steps', 'tokens', 'cost']);
const METRICS = ['success', 'reward', 'steps', 'tool_accuracy', 'tokens', 'cost'] as const;

/**
 * Each metric of both evaluations: success by its paired comparison, where there is one; the others by the interval of the difference of two
 * independent means, which is wider than it had to be for the same tasks.
 */
export function metricVerdicts(before: Evaluation, after: Evaluation): MetricVerdict[] {
  return METRICS.flatMap((metric) => {
    const [from, to] = [before.metrics[metric], after.metrics[metric]];
    if (from === undefined || to === undefined || (from.value === 0 && to.value === 0)) return [];
    const paired = metric === 'success' ? after.comparison : undefined;
    const sign = COSTS.has(metric) ? -1 : 1;
    const verdict = paired ? verdictOf([paired.low, paired.high]) : verdictOf(differenceInterval(from, to), sign);
    return [{ metric, before: from.value, after: to.value, verdict }];
  });
}

/** Success by type of task, the most frequent type first. */
export function typeVerdicts(before: Evaluation | undefined, after: Evaluation): TypeVerdict[] {
  const types = Object.entries(after.types).sort(([a, m], [b, n]) => n.judged - m.judged || (a < b ? -1 : 1));
  return types.flatMap(([type, { judged, successes }]): TypeVerdict[] => {
    if (judged === 0) return [];
    const rate = successes / judged;
    const was = before?.types[type];
    if (was === undefined || was.judged === 0)
      return [{ type, tasks: judged, before: null, after: rate, verdict: 'no difference shown' }];
    const estimate = (of: { successes: number; judged: number }) => {
      const [low, high] = wilson(of.successes, of.judged);
      return { value: of.successes / of.judged, low, high };
    };
    const verdict = verdictOf(differenceInterval(estimate(was), estimate({ successes, judged })));
    return [{ type, tasks: judged, before: was.successes / was.judged, after: rate, verdict }];
  });
}

type Bounded = Pick<Estimate, 'value' | 'low' | 'high'>;

/** Newcombe's interval of the difference of two independent estimates (method 10 of his paper on unpaired rates). */
function differenceInterval(from: Bounded, to: Bounded): [number, number] {
  if (from.low === undefined || from.high === undefined || to.low === undefined || to.high === undefined)
    return [-Infinity, Infinity];
  const difference = to.value - from.value;
  return [
    difference - Math.hypot(to.value - to.low, from.high - from.value),
    difference + Math.hypot(to.high - to.value, from.value - from.low),
  ];
}

function verdictOf([low, high]: [number, number], sign = 1): Verdict {
  if (sign * low > 0 && sign * high > 0) return 'better';
  if (sign * low < 0 && sign * high < 0) return 'worse';
  return 'no difference shown';
}
