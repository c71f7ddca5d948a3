import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareBatch, type PreparedBatch } from '../../src/policy/planner/learner/training-step.ts';
import { flattenerFor, standingPositions } from '../../src/policy/planner/flatten.ts';
import { parameterLayout } from '../../src/policy/planner/layout.ts';
import { attentionHeads } from '../../src/policy/planner/width.ts';
import type { ComputeCase } from './cases.ts';
import { RATE_COMPARED, STEPS_COMPARED } from './protocol.ts';
import { ACTIONS, ALGORITHM, OPTIMIZER, startingParameters, workload } from './workload.ts';

/** The file that says where each array lies in the other, in bytes; little-endian. */
export const INDEX = 'case.json';
/** The arrays, one after the other. */
export const ARRAYS = 'case.bin';

type Values = Int32Array | Float32Array;

/** Writes a case for participants in other languages: specification, parameters and the flattened batch. */
export function exportCase(from: ComputeCase, folder: string): void {
  const { spec } = from;
  const prepared = prepareBatch(flattenerFor(spec), [workload(from)]);
  const parameters = startingParameters(from);
  const arrays: Record<string, { dtype: 'int32' | 'float32'; shape: readonly number[]; offset: number }> = {};
  const chunks: Uint8Array[] = [];
  let offset = 0;
  const add = (name: string, values: Values, shape: readonly number[] = [values.length]): void => {
    arrays[name] = { dtype: values instanceof Int32Array ? 'int32' : 'float32', shape, offset };
    chunks.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset += values.byteLength;
  };
  for (const { name, shape, offset, size } of parameterLayout(spec)) {
    add(`parameter ${name}`, parameters.slice(offset, offset + size), shape);
  }
  addBatch(prepared, from, add);
  const index = {
    spec,
    heads: attentionHeads(spec.text.width),
    actions: ACTIONS,
    algorithm: ALGORITHM,
    optimizer: OPTIMIZER,
    compared: { steps: STEPS_COMPARED, learningRate: RATE_COMPARED },
    arrays,
  };
  writeFileSync(join(folder, ARRAYS), Buffer.concat(chunks));
  writeFileSync(join(folder, INDEX), JSON.stringify(index));
}

function addBatch(
  { flat, table, temperature, observation, action }: PreparedBatch,
  { spec: { features }, length }: ComputeCase,
  add: (name: string, values: Values, shape?: readonly number[]) => void,
): void {
  // Text 0 is the empty one; all others are equally long.
  const texts = flat.texts.slice(1);
  if (texts.some((text) => text.length !== length)) throw new Error('the workload has texts of different lengths');
  const tokens = new Int32Array(texts.length * length);
  texts.forEach((text, row) => tokens.set(text, row * length));
  add('tokens', tokens, [texts.length, length]);
  const row = new Int32Array(flat.items);
  const stands = new Float32Array(flat.items);
  standingPositions(flat, (item, text, position) => {
    row[item] = (text - 1) * length + position;
    stands[item] = 1;
  });
  add('atRow', row);
  add('stands', stands, [flat.items, 1]);
  add('observationText', flat.observationText);
  add('state', flat.state, [flat.observations, features.state]);
  add('itemObservation', flat.itemObservation);
  add('itemText', flat.itemText);
  add('itemFlags', flat.itemFlags, [flat.items, features.item]);
  add('itemShare', flat.itemShare, [flat.observations, 1]);
  flat.tuples.forEach(({ observation, args }, arity) => {
    add(`tuples${arity}`, observation);
    args.forEach((arg, j) => add(`tuples${arity} ${j}`, arg));
  });
  add('actionScore', flat.actionScore);
  add('actionFeature', flat.actionFeature);
  add('rows', flat.rows, [flat.rowCount, features.action]);
  add('temperature', Float32Array.from(temperature), [flat.observations, 1]);
  add('decisionObservation', observation);
  add('decisionAction', action);
  for (const name of ['oldLogProb', 'advantage', 'weight'] as const) add(name, Float32Array.from(table[name]));
}
