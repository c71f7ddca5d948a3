/** Encoded observations as flat arrays, with repeated argument tuples and action features found once. */
import { corrupt, ObservationReader } from './codec.ts';
import type { PlannerSpec } from './spec.ts';

/** Distinct argument tuples of one arity. */
export interface Tuples {
  count: number;
  /** Item indices, `arity` per tuple. */
  args: Int32Array;
}

/** One observation, decoded. */
export interface Decoded {
  text: number;
  state: Float32Array;
  items: number;
  itemText: Int32Array;
  itemAt: Int32Array;
  /** features.item per item. */
  itemFlags: Float32Array;
  /** By arity, 0 to 2. */
  tuples: readonly [Tuples, Tuples, Tuples];
  actions: number;
  actionTool: Int32Array;
  /** Index of the action's tuple among those of its arity. */
  actionTuple: Int32Array;
  /** Index of the action's features in `rows`. */
  actionRow: Int32Array;
  /** Distinct action features of this observation, features.action each. */
  rows: Float32Array;
  /** The encoded bytes of each distinct row: equal keys, equal rows. */
  rowKeys: readonly string[];
}

/** Decodes an observation; `data_loss` when the bytes do not fit the specification. */
export function decode(bytes: Uint8Array, spec: PlannerSpec): Decoded {
  const { features, tools } = spec;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new ObservationReader(bytes);
  const text = reader.index();
  const state = new Float32Array(features.state);
  reader.flags(state, 0, features.state);

  const items = count(reader.integer(), bytes);
  const itemText = new Int32Array(items);
  const itemAt = new Int32Array(items);
  const itemFlags = new Float32Array(items * features.item);
  for (let i = 0; i < items; i++) {
    itemText[i] = reader.index();
    itemAt[i] = reader.index();
    reader.flags(itemFlags, i * features.item, features.item);
  }

  const actions = count(reader.integer(), bytes);
  if (actions === 0) throw corrupt('it has no action');
  const actionTool = new Int32Array(actions);
  const actionTuple = new Int32Array(actions);
  const actionRow = new Int32Array(actions);
  const allRows = new Float32Array(actions * features.action);
  const rowKeys: string[] = [];
  const rowIndex = new Map<string, number>();
  const tupleArgs: [number[], number[], number[]] = [[], [], []];
  const tupleIndex = new Map<number, number>();
  const tupleCount = [0, 0, 0];
  const item = (): number => {
    const arg = reader.integer();
    if (arg >= items) throw corrupt(`an action points to item ${arg} of ${items}`);
    return arg;
  };
  for (let a = 0; a < actions; a++) {
    const tool = reader.integer();
    const arity = tools[tool]?.arity;
    if (arity === undefined) throw corrupt(`tool ${tool} is not one of the policy's ${tools.length}`);
    const first = arity > 0 ? item() : 0;
    const second = arity > 1 ? item() : 0;
    // Keys of the three arities do not meet: 0; 1 to items; items + 1 and on.
    const key = arity === 0 ? 0 : arity === 1 ? 1 + first : 1 + items + first * items + second;
    let tuple = tupleIndex.get(key);
    if (tuple === undefined) {
      tuple = tupleCount[arity]!++;
      tupleIndex.set(key, tuple);
      if (arity > 0) tupleArgs[arity].push(first);
      if (arity > 1) tupleArgs[arity].push(second);
    }
    const start = reader.offset;
    reader.flags(allRows, rowKeys.length * features.action, features.action);
    if (features.action > 0) {
      const rowKey = buffer.toString('latin1', start, reader.offset);
      let row = rowIndex.get(rowKey);
      if (row === undefined) {
        row = rowKeys.length;
        rowIndex.set(rowKey, row);
        rowKeys.push(rowKey);
      }
      actionRow[a] = row;
    }
    actionTool[a] = tool;
    actionTuple[a] = tuple;
  }
  reader.end();
  const tuples = tupleArgs.map((args, arity) => ({ count: tupleCount[arity]!, args: Int32Array.from(args) }));
  return {
    text,
    state,
    items,
    itemText,
    itemAt,
    itemFlags,
    tuples: tuples as [Tuples, Tuples, Tuples],
    actions,
    actionTool,
    actionTuple,
    actionRow,
    rows: allRows.slice(0, rowKeys.length * features.action),
    rowKeys,
  };
}

/** Guards allocations: every item and action takes at least one byte. */
function count(value: number, bytes: Uint8Array): number {
  if (value > bytes.length) throw corrupt(`it announces ${value} entries in ${bytes.length} bytes`);
  return value;
}
