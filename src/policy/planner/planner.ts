import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../../errors.ts';
import type { Parameters, TensorPlace } from '../policy.ts';
import type { ObservationBatch, ObservationPolicy } from './observation-policy.ts';
import type { PlannerSpec } from './spec.ts';
import { encodeTexts } from './encoders.ts';
import { type FlatBatch, type Flattener, flattenerFor, standingPositions } from './flatten.ts';
import { initialParameters, parameterLayout } from './layout.ts';
import { actionScores, type TextVectors } from './network.ts';
import { matrix, type TensorMap } from './ops.ts';
import { segmentLogSoftmax } from './softmax.ts';
import { TextCache } from './text-cache.ts';
import { flattenTexts } from './texts.ts';
import { stateValues } from './value.ts';
import { textWidth } from './width.ts';

/** The planner policy on the current tfjs backend. */
export class PlannerPolicy implements ObservationPolicy {
  readonly layout: readonly TensorPlace[];
  private readonly flattener: Flattener;
  private readonly texts: TextCache;
  private weights = new Map<string, tf.Tensor>();
  private values: Float32Array;

  constructor(
    readonly spec: PlannerSpec,
    values: Float32Array = initialParameters(spec).values,
  ) {
    this.layout = parameterLayout(spec);
    this.flattener = flattenerFor(spec);
    this.texts = new TextCache(spec);
    this.values = new Float32Array(0);
    this.load(values);
  }

  parameters(): Parameters {
    return { tensors: this.layout, values: this.values.slice() };
  }

  load(values: Float32Array): void {
    const expected = this.layout.reduce((sum, tensor) => sum + tensor.size, 0);
    if (values.length !== expected) {
      throw new MillraceError(
        'invalid_argument',
        `the policy has ${expected} parameters, got ${values.length}: other specification?`,
      );
    }
    // Memory of the old values is used again, if there are any: their tensors go below.
    if (this.values.length !== expected) this.values = new Float32Array(expected);
    this.values.set(values);
    this.texts.clear();
    for (const tensor of this.weights.values()) tensor.dispose();
    this.weights = new Map(
      this.layout.map(({ name, shape, offset, size }) => [
        name,
        // A view is enough: our copy of the values is never written to.
        tf.tensor(this.values.subarray(offset, offset + size), [...shape], 'float32'),
      ]),
    );
  }

  logProbabilities(batch: ObservationBatch, temperature: number): Float32Array[] {
    return this.logProbabilitiesOf([batch], temperature)[0]!;
  }

  /**
   * Like `logProbabilities` for several batches with text tables of their own, in one pass. Equal observations share one
   * array: do not write into the results.
   */
  logProbabilitiesOf(batches: readonly ObservationBatch[], temperature: number): Float32Array[][] {
    if (!(temperature > 0)) throw new MillraceError('invalid_argument', `temperature must be above 0, got ${temperature}`);
    const flat = this.flatten(batches);
    if (flat.observations === 0) return batches.map(() => []);
    const logProbs = segmentLogSoftmax(this.scoreValues(flat), flat.actionStart, temperature);
    const rows = Array.from({ length: flat.observations }, (_, o) =>
      logProbs.slice(flat.actionStart[o]!, flat.actionStart[o + 1]!),
    );
    return flat.indices.map((index) => Array.from(index, (o) => rows[o]!));
  }

  /** Side-by-side form of batches; equal texts and observations once. */
  flatten(batches: readonly ObservationBatch[]): FlatBatch {
    return this.flattener.flatten(batches);
  }

  /** The parameters as tensors, in layout order. They stay the planner's. */
  tensors(): tf.Tensor[] {
    return this.layout.map(({ name }) => this.weights.get(name)!);
  }

  /** Scores of all actions, differentiable in the parameters. Call within a tidy. */
  scores(flat: FlatBatch, weights: TensorMap = this.weights): tf.Tensor1D {
    return actionScores(this.spec, weights, flat, this.textVectors(flat, weights));
  }

  /** Scores and, of a policy with a critic, values of all observations; both through one encoding of the texts. */
  outputs(flat: FlatBatch, weights: TensorMap = this.weights): { scores: tf.Tensor1D; values?: tf.Tensor1D } {
    const texts = this.textVectors(flat, weights);
    const scores = actionScores(this.spec, weights, flat, texts);
    return this.spec.value ? { scores, values: stateValues(this.spec, weights, flat, texts) } : { scores };
  }

  /** The same as numbers, for looking at decisions without learning from them. */
  evaluate(flat: FlatBatch): { scores: Float32Array; values?: Float32Array } {
    const { scores, values } = tf.tidy(() => this.outputs(flat));
    const numbers = [scores, ...(values ? [values] : [])].map((tensor) => tensor.dataSync() as Float32Array);
    tf.dispose([scores, ...(values ? [values] : [])]);
    return { scores: numbers[0]!, ...(numbers[1] && { values: numbers[1] }) };
  }

  private scoreValues(flat: FlatBatch): Float32Array {
    // The values must not be what the tidy returns: it would look for tensors among them, one by one.
    const scores = tf.tidy(() => actionScores(this.spec, this.weights, flat, this.texts.vectors(flat, this.weights)));
    const values = scores.dataSync() as Float32Array;
    scores.dispose();
    return values;
  }

  dispose(): void {
    for (const tensor of this.weights.values()) tensor.dispose();
    this.weights.clear();
  }

  private textVectors(flat: FlatBatch, weights: TensorMap): TextVectors {
    const texts = flattenTexts(flat.texts);
    const { pooled, at: statesAt } = encodeTexts(this.spec, weights, texts);
    const row = new Int32Array(flat.items);
    const stands = new Float32Array(flat.items);
    let standing = 0;
    standingPositions(flat, (item, text, position) => {
      row[item] = texts.start[text]! + position;
      stands[item] = 1;
      standing++;
    });
    if (standing === 0) return { pooled, at: tf.zeros<tf.Rank.R2>([flat.items, textWidth(this.spec)]) };
    const at = statesAt(row);
    return { pooled, at: standing === flat.items ? at : tf.mul(at, matrix(stands, flat.items, 1)) };
  }
}

/** A planner with the given parameters, or the initial ones of its specification. `initCompute` must have been awaited. */
export function createPlanner(spec: PlannerSpec, values?: Float32Array): PlannerPolicy {
  if (!tf.engine().backendName) {
    throw new MillraceError('failed_precondition', 'no compute backend is set up: await initCompute() before making a policy');
  }
  return new PlannerPolicy(spec, values);
}
