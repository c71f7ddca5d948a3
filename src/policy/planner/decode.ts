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
  const reader = new ObservationReader(bytes);
  const text = reader.index();
  const state = new Float32Array(spec.features.state);
  reader.flags(state, 0, spec.features.state);
  const items = decodeItems(reader, bytes, spec);
  const actions = decodeActions(reader, bytes, spec, items.items);
  reader.end();
  return { text, state, ...items, ...actions };
}

function decodeItems(
  reader: ObservationReader,
  bytes: Uint8Array,
  { features }: PlannerSpec,
): Pick<Decoded, 'items' | 'itemText' | 'itemAt' | 'itemFlags'> {
  const items = count(reader.integer(), bytes);
  const itemText = new Int32Array(items);
  const itemAt = new Int32Array(items);
  const itemFlags = new Float32Array(items * features.item);
  for (let i = 0; i < items; i++) {
    itemText[i] = reader.index();
    itemAt[i] = reader.index();
    reader.flags(itemFlags, i * features.item, features.item);
  }
  return { items, itemText, itemAt, itemFlags };
}

function decodeActions(
  reader: ObservationReader,
  bytes: Uint8Array,
  { features, tools }: PlannerSpec,
  items: number,
): Pick<Decoded, 'tuples' | 'actions' | 'actionTool' | 'actionTuple' | 'actionRow' | 'rows' | 'rowKeys'> {
  const actions = count(reader.integer(), bytes);
  if (actions === 0) throw corrupt('it has no action');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const actionTool = new Int32Array(actions);
  const actionTuple = new Int32Array(actions);
  const actionRow = new Int32Array(actions);
  const allRows = new Float32Array(actions * features.action);
  const rowKeys: string[] = [];
  const rowIndex = new Map<string, number>();
  const tuples = new TupleIndex(items);
  for (let a = 0; a < actions; a++) {
    const tool = reader.integer();
    const arity = tools[tool]?.arity;
    if (arity === undefined) throw corrupt(`tool ${tool} is not one of the policy's ${tools.length}`);
    const tuple = tuples.read(reader, arity);
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
  const rows = allRows.slice(0, rowKeys.length * features.action);
  return { tuples: tuples.tuples(), actions, actionTool, actionTuple, actionRow, rows, rowKeys };
}

/** The distinct argument tuples of an observation's actions. */
class TupleIndex {
  private readonly args: [number[], number[], number[]] = [[], [], []];
  private readonly counts = [0, 0, 0];
  private readonly index = new Map<number, number>();

  constructor(private readonly items: number) {}

  /** Reads an action's arguments. Returns the index of the tuple among those of its arity. */
  read(reader: ObservationReader, arity: 0 | 1 | 2): number {
    const first = arity > 0 ? this.item(reader) : 0;
    const second = arity > 1 ? this.item(reader) : 0;
    // Keys of the three arities do not meet: 0; 1 to items; items + 1 and on.
    const key = arity === 0 ? 0 : arity === 1 ? 1 + first : 1 + this.items + first * this.items + second;
    let tuple = this.index.get(key);
    if (tuple === undefined) {
      tuple = this.counts[arity]!++;
      this.index.set(key, tuple);
      if (arity > 0) this.args[arity].push(first);
      if (arity > 1) this.args[arity].push(second);
    }
    return tuple;
  }

  tuples(): [Tuples, Tuples, Tuples] {
    const tuples = this.args.map((args, arity) => ({ count: this.counts[arity]!, args: Int32Array.from(args) }));
    return tuples as [Tuples, Tuples, Tuples];
  }

  private item(reader: ObservationReader): number {
    const arg = reader.integer();
    if (arg >= this.items) throw corrupt(`an action points to item ${arg} of ${this.items}`);
    return arg;
  }
}

/** Guards allocations: every item and action takes at least one byte. */
function count(value: number, bytes: Uint8Array): number {
  if (value > bytes.length) throw corrupt(`it announces ${value} entries in ${bytes.length} bytes`);
  return value;
}
