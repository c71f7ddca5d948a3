import type { AlgorithmConfig } from '../../algo/config.ts';
import { criticOf } from '../../algo/registry.ts';
import { valueLoss } from '../../algo/value/loss.ts';
import type { DecisionTable, LossStatistics } from './loss.ts';

/**
 * Loss of the value head over a table of decisions as a function of the observations' values. Decisions without a target (of a
 * method without a critic) count nothing.
 */
export function criticLoss(
  values: Float32Array,
  { observation, target, value, weight }: DecisionTable,
  algorithm: AlgorithmConfig,
): { loss: number; derivative: Float32Array; statistics: LossStatistics } {
  const derivative = new Float32Array(values.length);
  const critic = criticOf(algorithm);
  if (critic === undefined || target === undefined) return { loss: 0, derivative, statistics: {} };
  const own = Float64Array.from(observation, (o) => values[o]!);
  const { coefficient, clip } = critic;
  const result = valueLoss(own, target, weight, { clip, oldValues: value });
  observation.forEach((o, d) => (derivative[o]! += coefficient * result.derivative[d]!));
  return { loss: coefficient * result.loss, derivative, statistics: result.statistics };
}
