/** Log-probabilities of tokens and the gradient of a loss of them, layer by layer. */
import * as tf from '@tensorflow/tfjs-core';
import { accumulate } from '../../compute/arrays.ts';
import { rmsNorm } from '../../compute/fused.ts';
import { embed } from '../forward/forward.ts';
import { passInputs, type PassInputs, type Sequence } from '../forward/inputs.ts';
import { transformerLayer } from '../forward/layer.ts';
import { headBackward, headOutcomes, headRows, type HeadRows, type OutcomeDerivatives, type Outcomes } from './head.ts';
import type { PlacedTensor, TrainableModel } from './trainable.ts';
import type { TokenTree } from './tree.ts';
import { valueBackward, valuesOf, type ValueHead } from './value.ts';

/** What is computed, and under what. */
export interface PassOptions {
  /** Of the softmax; > 0. */
  temperature: number;
  /** A head for values of situations. Default: none. */
  value?: ValueHead | undefined;
}

/** {@link Outcomes}, with the values of the situations in which the tokens were written where there is a head for them. */
export type PassOutcomes = Outcomes & { values?: Float64Array };
/** Derivatives of a loss with respect to them. */
export type PassDerivatives = OutcomeDerivatives & { values?: Float64Array };

/**
 * What a model says about the targets of a tree. It gives way after each layer and each part of the head, so that the caller can do something else;
 * the weights must stay as they are until it is done. Throws as `forward` does.
 */
export function* evaluateTree(model: TrainableModel, tree: TokenTree, options: PassOptions): Generator<void, PassOutcomes> {
  const pass = new Pass(model, tree, options);
  try {
    return yield* pass.forward(false);
  } finally {
    pass.dispose();
  }
}

/**
 * Adds the gradient of a loss to `gradient`, as long as the trained numbers. `loss` is called once, with what {@link evaluateTree} returns. Gives way as
 * that does. Only what goes into each layer is kept; a layer is computed again for its gradient.
 */
export function* learnTree(
  model: TrainableModel,
  tree: TokenTree,
  options: PassOptions & { loss: (outcomes: PassOutcomes) => PassDerivatives; gradient: Float64Array },
): Generator<void, void> {
  const pass = new Pass(model, tree, options);
  try {
    const outcomes = yield* pass.forward(true);
    yield* pass.backward(outcomes, options.loss(outcomes), options.gradient);
  } finally {
    pass.dispose();
  }
}

class Pass {
  readonly #model: TrainableModel;
  readonly #options: PassOptions;
  readonly #sequences: readonly Sequence[];
  readonly #rows: HeadRows;
  readonly #inputs: PassInputs;
  /** Inputs of the layers that are still needed, and the output of the last layer. */
  readonly #states: tf.Tensor2D[] = [];
  #hidden: tf.Tensor2D | undefined;

  constructor(model: TrainableModel, tree: TokenTree, options: PassOptions) {
    this.#model = model;
    this.#options = options;
    const { branches, targets } = tree.layout();
    this.#sequences = branches.map((branch) => ({ ...branch, ...(model.adapter && { adapter: model.adapter }) }));
    this.#rows = headRows(targets);
    this.#inputs = passInputs(model.weights.config, this.#sequences);
  }

  *forward(keeps: boolean): Generator<void, PassOutcomes> {
    const { weights } = this.#model;
    const { temperature, value } = this.#options;
    this.#states.push(tf.keep(embed(weights, this.#sequences)));
    for (const index of weights.layers.keys()) {
      const x = this.#states.at(-1)!;
      const y = tf.keep(tf.tidy(() => this.#layer(x, index)));
      if (!keeps) this.#states.pop()!.dispose();
      this.#states.push(y);
      yield;
    }
    const hidden = tf.keep(tf.tidy(() => this.#chosen(this.#states.at(-1)!)));
    this.#hidden = hidden;
    const outcomes = yield* headOutcomes(weights.head, hidden, this.#rows, temperature);
    return value ? { ...outcomes, values: valuesOf(value, hidden, this.#rows) } : outcomes;
  }

  *backward(found: Outcomes, by: PassDerivatives, gradient: Float64Array): Generator<void, void> {
    const { weights, head: trainedHead, layers, norm, embedding } = this.#model;
    const { temperature, value } = this.#options;
    const hidden = this.#hidden!;
    const trained = trainedHead === undefined ? undefined : { gradient, offset: trainedHead };
    let flow = yield* headBackward({ head: weights.head, hidden, of: this.#rows, temperature }, { ...by, found }, trained);
    try {
      const step = (x: tf.Tensor2D, f: () => tf.Tensor2D, placed: readonly PlacedTensor[]): void => {
        const next = tf.tidy(() => gradientOf(f, { x, dy: flow, placed, gradient }));
        flow.dispose();
        flow = next;
      };
      if (value && by.values) {
        const joined = tf.keep(
          tf.tidy(() => tf.add(flow, valueBackward(value, hidden, { of: this.#rows, by: by.values!, gradient }))),
        );
        flow.dispose();
        flow = joined as tf.Tensor2D;
      }
      const last = this.#states.pop()!;
      step(last, () => this.#chosen(last), norm ? [norm] : []);
      last.dispose();
      for (let index = layers.length - 1; index >= 0; index--) {
        const x = this.#states.pop()!;
        step(x, () => this.#layer(x, index), layers[index]!);
        x.dispose();
        yield;
      }
      if (embedding !== undefined) this.#addEmbeddings(flow, gradient, embedding);
    } finally {
      flow.dispose();
    }
  }

  dispose(): void {
    tf.dispose(this.#states);
    this.#states.length = 0;
    this.#hidden?.dispose();
    this.#inputs.dispose();
  }

  #layer(x: tf.Tensor2D, index: number): tf.Tensor2D {
    return transformerLayer(x, this.#model.weights.layers[index]!, { ...this.#inputs, index });
  }

  /** Hidden states of the rows that targets follow. */
  #chosen(x: tf.Tensor2D): tf.Tensor2D {
    const { norm, config } = this.#model.weights;
    return rmsNorm(tf.gather(x, tf.tensor1d(this.#rows.rows, 'int32')), norm, config.normEpsilon);
  }

  #addEmbeddings(flow: tf.Tensor2D, gradient: Float64Array, offset: number): void {
    const values = flow.dataSync();
    const width = flow.shape[1];
    let row = 0;
    for (const { tokens } of this.#sequences) {
      for (const token of tokens) {
        const [from, to] = [row * width, offset + token * width];
        for (let i = 0; i < width; i++) gradient[to + i]! += values[from + i]!;
        row++;
      }
    }
  }
}

/** Computes f again and takes dy back through it: to x, which is returned and kept, and to trained tensors, which are added up. */
function gradientOf(
  f: () => tf.Tensor2D,
  { x, dy, placed, gradient }: { x: tf.Tensor2D; dy: tf.Tensor2D; placed: readonly PlacedTensor[]; gradient: Float64Array },
): tf.Tensor2D {
  const { grads } = tf.engine().gradients(f, [x, ...placed.map(({ tensor }) => tensor)], dy, true);
  placed.forEach(({ offset }, index) => accumulate(grads[index + 1]!, gradient, offset));
  return tf.keep(grads[0] as tf.Tensor2D);
}
