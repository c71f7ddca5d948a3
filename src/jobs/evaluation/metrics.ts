import { meanInterval, ratioInterval, type Interval } from '../../algo/stats/interval.ts';
import { passAtK } from '../../algo/stats/pass-at-k.ts';
import { wilson } from '../../algo/stats/wilson.ts';
import type { EvaluatedFlow, EvaluatedTask } from './task.ts';
import type { EstimateRecord } from '../record.ts';

/** A task's flows that were judged. */
type Judged = readonly EvaluatedFlow[];

const sum = (flows: Judged, of: (flow: EvaluatedFlow) => number): number => flows.reduce((total, flow) => total + of(flow), 0);

/**
 * The figures of an evaluation, each with its 95 % interval: success, reward, steps, tool_accuracy, tokens and cost (US dollars) of one
 * flow, and where tasks have several flows pass@k for k = 1, 2, 4 … up to as many. A task counts once for the intervals, with all its flows.
 */
export function evaluationMetrics(tasks: readonly EvaluatedTask[], samples: number): Record<string, EstimateRecord> {
  const judged = tasks.map(({ flows }) => flows.filter(({ valid }) => valid)).filter(({ length }) => length > 0);
  if (judged.length === 0) return {};
  const ratio = (above: (flow: EvaluatedFlow) => number, below: (flow: EvaluatedFlow) => number = () => 1): EstimateRecord => {
    const [numerators, denominators] = [judged.map((flows) => sum(flows, above)), judged.map((flows) => sum(flows, below))];
    const total = denominators.reduce((a, b) => a + b, 0);
    const value = total > 0 ? numerators.reduce((a, b) => a + b, 0) / total : 0;
    return estimate(value, ratioInterval(numerators, denominators));
  };
  const success = ratio((flow) => (flow.success ? 1 : 0));
  const metrics: Record<string, EstimateRecord> = {
    success: successEstimate(success, judged),
    reward: ratio((flow) => flow.reward),
    steps: ratio((flow) => flow.steps),
    tool_accuracy: accuracy(
      ratio(
        (flow) => flow.steps - (flow.toolErrors ?? 0),
        (flow) => flow.steps,
      ),
      judged.length,
    ),
    tokens: ratio((flow) => flow.tokens ?? 0),
    cost: ratio((flow) => (flow.microDollars ?? 0) / 1e6),
  };
  for (const k of samples > 1 ? powersUpTo(samples) : []) {
    const values = judged.flatMap((flows) =>
      flows.length < k
        ? []
        : [
            passAtK(
              flows.length,
              sum(flows, ({ success: solved }) => (solved ? 1 : 0)),
              k,
            ),
          ],
    );
    if (values.length === 0) continue;
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    metrics[`pass@${k}`] = estimate(mean, within(meanInterval(values), values.length, mean));
  }
  return metrics;
}

/** A rate over all steps, within 0 to 1. */
function accuracy({ value, low = 0, high = 1 }: EstimateRecord, tasks: number): EstimateRecord {
  return estimate(value, within([low, high], tasks, value));
}

/** Of one flow a task Wilson's interval; of several Student's over the tasks. */
function successEstimate({ value, low = 0, high = 1 }: EstimateRecord, judged: readonly Judged[]): EstimateRecord {
  const once = judged.every(({ length }) => length === 1);
  return estimate(
    value,
    once ? wilson(Math.round(value * judged.length), judged.length) : within([low, high], judged.length, value),
  );
}

/** Rates are within 0 to 1; where all tasks are alike, which leaves nothing for Student's interval, Wilson's of as many tasks. */
function within([low, high]: Interval, tasks: number, rate: number): Interval {
  return low < high ? [Math.max(0, low), Math.min(1, high)] : wilson(rate * tasks, tasks);
}

function estimate(value: number, [low, high]: Interval): EstimateRecord {
  return Number.isFinite(low) && Number.isFinite(high) ? { value, low, high } : { value };
}

/** 1, 2, 4 … and `n`. */
function powersUpTo(n: number): number[] {
  const powers: number[] = [];
  for (let k = 1; k < n; k *= 2) powers.push(k);
  return [...powers, n];
}
