import type { OptimizerConfig } from '../config.ts';
import { MillraceError } from '../../errors.ts';

/** Moments of AdamW; same length as the parameters. */
export interface AdamWState {
  /** Running mean of the gradient. */
  m: Float32Array;
  /** Running mean of the squared gradient. */
  v: Float32Array;
  /** Steps taken. */
  step: number;
}

/** The state before the first step. */
export function adamWState(size: number): AdamWState {
  return { m: new Float32Array(size), v: new Float32Array(size), step: 0 };
}

/** An array whose entries may be set. */
type Writable = { [index: number]: number; readonly length: number };

/** Options of {@link adamW}; `learningRate` is the one of this step (see schedule.ts). */
export type AdamWOptions = Pick<OptimizerConfig, 'learningRate' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay'>;

/**
 * One step of Adam with decoupled weight decay, in place: parameters, moments and the step count.
 *
 * p <- p - lr * (m^ / (sqrt(v^) + epsilon) + weightDecay * p), with bias-corrected m^ and v^.
 * Source: Loshchilov and Hutter, arXiv 1711.05101, without the schedule multiplier.
 */
export function adamW(parameters: Float32Array, gradient: Float32Array, state: AdamWState, options: AdamWOptions): void {
  const n = parameters.length;
  if (gradient.length !== n || state.m.length !== n || state.v.length !== n) {
    throw new MillraceError(
      'invalid_argument',
      `AdamW: ${n} parameters, but ${gradient.length} gradients and ${state.m.length}/${state.v.length} moments; all must be of equal length`,
    );
  }
  state.step += 1;
  adamWInto(parameters, gradient, state, options);
}

/** The step that {@link adamW} makes, without a check: `step` counts from 1. Changes parameters and moments. */
export function adamWInto(
  parameters: Writable,
  gradient: ArrayLike<number>,
  { m, v, step }: { m: Writable; v: Writable; step: number },
  { learningRate, beta1, beta2, epsilon, weightDecay }: AdamWOptions,
): void {
  const n = parameters.length;
  // Products with these instead of two more divisions a parameter, which are what the loop waits for.
  const scale1 = 1 / (1 - beta1 ** step);
  const scale2 = 1 / (1 - beta2 ** step);
  for (let i = 0; i < n; i++) {
    const g = gradient[i]!;
    const mean = beta1 * m[i]! + (1 - beta1) * g;
    const square = beta2 * v[i]! + (1 - beta2) * g * g;
    m[i] = mean;
    v[i] = square;
    const update = (mean * scale1) / (Math.sqrt(square * scale2) + epsilon);
    parameters[i] = parameters[i]! - learningRate * (update + weightDecay * parameters[i]!);
  }
}
