/** The optimiser as plain functions in float64, arguments checked (`invalid_argument` with the field); nothing is changed in place. */
import { columns, finite, inRange } from '../check.ts';
import { adamWInto, type AdamWOptions } from '../optim/adamw.ts';
import { clipByGlobalNorm, globalNorm as norm } from '../optim/clip.ts';
import { learningRateAt as rateAt } from '../optim/schedule.ts';

type Numbers = ArrayLike<number>;

/**
 * One step of AdamW: the parameters and moments after it. The formula is that of {@link adamWInto}; moments before the first step
 * are zeros.
 *
 * @param state - moments before the step; `step`: number of this step, 1 for the first
 * @param options - learningRate has no default; beta1 0.9, beta2 0.999, epsilon 1e-8, weightDecay 0
 */
export function adamWStep(
  parameters: Numbers,
  gradient: Numbers,
  { m, v, step }: { m: Numbers; v: Numbers; step: number },
  options: Pick<AdamWOptions, 'learningRate'> & Partial<AdamWOptions>,
): { parameters: number[]; m: number[]; v: number[] } {
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  columns({ parameters, gradient, m, v });
  inRange('step', step, { min: 1, whole: true });
  inRange('learningRate', learningRate, { min: 0 });
  // At 1 the bias correction would divide by 0.
  for (const [name, beta] of Object.entries({ beta1, beta2 })) inRange(name, 1 - beta, { above: 0, max: 1 });
  inRange('epsilon', epsilon, { min: 0 });
  inRange('weightDecay', weightDecay, { min: 0 });
  const after = { parameters: Array.from(parameters), m: Array.from(m), v: Array.from(v) };
  adamWInto(after.parameters, gradient, { m: after.m, v: after.v, step }, { learningRate, beta1, beta2, epsilon, weightDecay });
  return after;
}

/** Euclidean norm. */
export function globalNorm(gradient: Numbers): number {
  finite({ gradient });
  return norm(gradient);
}

/** The gradient scaled so that its Euclidean norm is at most `maxNorm` (0 = off), and the norm that it had. */
export function clipGradient(gradient: Numbers, maxNorm: number): { gradient: number[]; norm: number } {
  finite({ gradient });
  inRange('maxNorm', maxNorm, { min: 0 });
  const after = Float64Array.from(gradient);
  const before = clipByGlobalNorm(after, maxNorm);
  return { gradient: Array.from(after), norm: before };
}

/** Learning rate of a round: linear from `learningRate` to `learningRate * finalLearningRate` (1). See {@link rateAt}. */
export function learningRateAt(
  round: number,
  rounds: number,
  { learningRate, finalLearningRate = 1 }: { learningRate: number; finalLearningRate?: number },
): number {
  inRange('round', round, { min: 0, whole: true });
  inRange('rounds', rounds, { min: 1, whole: true });
  inRange('learningRate', learningRate, { min: 0 });
  inRange('finalLearningRate', finalLearningRate, { min: 0 });
  return rateAt(round, rounds, { learningRate, finalLearningRate });
}
