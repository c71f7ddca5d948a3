import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../../errors.ts';
import { adapterNames, adapterTensors, PROJECTIONS, type AdapterShape, type Projection } from '../adapter/shape.ts';
import type { ModelConfig } from '../config.ts';

/** Matrices of an adapter for one product. */
export interface Lora {
  /** [rank, in]. */
  a: tf.Tensor2D;
  /** [out, rank]. */
  b: tf.Tensor2D;
  /** alpha / rank. */
  scale: number;
}

/** What an adapter adds to one layer; products that it does not change are absent. */
export type AdapterLayer = Readonly<Partial<Record<Projection, Lora>>>;

/** An adapter as tensors of the current backend. */
export interface Adapter {
  layers: readonly AdapterLayer[];
  /** All matrices, in the order of `adapterTensors`. */
  tensors: readonly tf.Tensor2D[];
  dispose(): void;
}

/** Rows that follow one another and go through the same adapter. */
export interface AdapterRun {
  rows: number;
  adapter: Adapter | undefined;
}

/**
 * Puts the numbers of an adapter into the current backend.
 *
 * @param values - tensor after tensor of `adapterTensors`; `invalid_argument` when there are more or fewer
 */
export function loadAdapter(config: ModelConfig, shape: AdapterShape, values: Float32Array): Adapter {
  const places = adapterTensors(config, shape);
  const size = places.reduce((sum, { shape: [rows, columns] }) => sum + rows! * columns!, 0);
  if (values.length !== size)
    throw new MillraceError('invalid_argument', `the adapter has ${size} parameters, got ${values.length}`);
  let offset = 0;
  const tensors = new Map<string, tf.Tensor2D>();
  for (const { name, shape: dimensions } of places) {
    const [rows, columns] = dimensions as [number, number];
    tensors.set(name, tf.keep(tf.tensor2d(values.slice(offset, offset + rows * columns), [rows, columns])));
    offset += rows * columns;
  }
  const scale = shape.alpha / shape.rank;
  const layers = Array.from({ length: config.layers }, (_, layer): AdapterLayer =>
    Object.fromEntries(
      PROJECTIONS.filter((projection) => shape.targets.includes(projection)).map((projection) => {
        const { a, b } = adapterNames(layer, projection);
        return [projection, { a: tensors.get(a)!, b: tensors.get(b)!, scale }];
      }),
    ),
  );
  const all = [...tensors.values()];
  return { layers, tensors: all, dispose: () => tf.dispose(all) };
}

/** The runs of sequences that name their adapter, in order. */
export function adapterRuns(sequences: readonly { rows: number; adapter: Adapter | undefined }[]): AdapterRun[] {
  const runs: AdapterRun[] = [];
  for (const { rows, adapter } of sequences) {
    const last = runs.at(-1);
    if (last !== undefined && last.adapter === adapter) last.rows += rows;
    else runs.push({ rows, adapter });
  }
  return runs;
}

/** Adds to a product y [rows, out] of x [rows, in] what the adapters of the rows add in layer `index`. */
export function addAdapters(
  y: tf.Tensor2D,
  x: tf.Tensor2D,
  projection: Projection,
  { index, runs }: { index: number; runs: readonly AdapterRun[] },
): tf.Tensor2D {
  const loras = runs.map(({ adapter }) => adapter?.layers[index]![projection]);
  if (loras.every((lora) => lora === undefined)) return y;
  if (loras.length === 1) return tf.add(y, delta(x, loras[0]!));
  const sizes = runs.map(({ rows }) => rows);
  const [ys, xs] = [y, x].map((all) => tf.split<tf.Tensor2D>(all, sizes, 0)) as [tf.Tensor2D[], tf.Tensor2D[]];
  const parts = loras.map((lora, run) => (lora ? (tf.add(ys[run]!, delta(xs[run]!, lora)) as tf.Tensor2D) : ys[run]!));
  return tf.concat(parts, 0);
}

/** scale · B(Ax), scaled where it is narrow. */
function delta(x: tf.Tensor2D, { a, b, scale }: Lora): tf.Tensor2D {
  return tf.matMul(tf.mul(tf.matMul(x, a, false, true), scale) as tf.Tensor2D, b, false, true);
}
