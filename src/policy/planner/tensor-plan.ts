/** Parameter tensors as a network declares them. */

/** How a tensor starts out: 0, 1, normal with this deviation, or uniform for a layer with these numbers of inputs and outputs. */
export type Initial = 'zero' | 'one' | { normal: number } | { glorot: [inputs: number, outputs: number] };

/** A parameter tensor before it has a place. */
export interface TensorPlan {
  name: string;
  shape: readonly number[];
  initial: Initial;
}

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Of the weight. Default: uniform for its numbers of inputs and outputs. */
  initial?: Initial;
  /** Default true. */
  bias?: boolean;
}

/** A dense layer: `<name>.weight` and, unless `bias` is false, `<name>.bias`. */
export function dense(name: string, inputs: number, outputs: number, { initial, bias = true }: DenseOptions = {}): TensorPlan[] {
  const weight: TensorPlan = {
    name: `${name}.weight`,
    shape: [inputs, outputs],
    initial: initial ?? { glorot: [inputs, outputs] },
  };
  return bias ? [weight, { name: `${name}.bias`, shape: [outputs], initial: 'zero' }] : [weight];
}
