/** Many observations side by side as flat index arrays: what the network computes on. */
import { MillraceError } from '../../errors.ts';
import type { ObservationBatch } from './observation-policy.ts';
import type { PlannerSpec } from './spec.ts';
import { decode, type Decoded } from './decode.ts';

/** Tuples of one arity over all observations. */
export interface FlatTuples {
  count: number;
  observation: Int32Array;
  /** One array per pointer: indices into the flat items. */
  args: Int32Array[];
}

/** Distinct texts and observations of a batch; O observations, I items, A actions, D distinct action features. */
export interface FlatBatch {
  /** Distinct texts; 0 is the empty text, which stands for "none". */
  texts: Int32Array[];
  /** A key for each text: equal keys, equal texts. */
  textKeys: string[];
  /** For each sub-batch, for each of its observations: the index of the distinct observation. */
  indices: Int32Array[];
  observations: number;
  /** Index of the text read as a whole. */
  observationText: Int32Array;
  state: Float32Array;
  items: number;
  itemObservation: Int32Array;
  itemText: Int32Array;
  /** Position in the observation's text, -1 when nowhere. */
  itemAt: Int32Array;
  itemFlags: Float32Array;
  /** 1 / number of items of each observation, 0 where there are none. */
  itemShare: Float32Array;
  /** By arity. */
  tuples: [FlatTuples, FlatTuples, FlatTuples];
  /** Where each observation's actions start; O + 1 entries. */
  actionStart: Int32Array;
  /** Index of each action's score in the concatenated tuple x tool matrices, arity after arity. */
  actionScore: Int32Array;
  /** Index of each action in the matrix of distinct features x tools. */
  actionFeature: Int32Array;
  rows: Float32Array;
  rowCount: number;
}

/** Tools by arity: how many there are and which column each tool has. */
export interface ToolColumns {
  count: [number, number, number];
  column: Int32Array;
}

/** Columns of the tools among those of their arity, in the specification's order. */
export function toolColumns(spec: PlannerSpec): ToolColumns {
  const counts: [number, number, number] = [0, 0, 0];
  const column = Int32Array.from(spec.tools, (tool) => counts[tool.arity]++);
  return { count: counts, column };
}

const CACHE_LIMIT = 8192;
const SPECIFICATIONS = 4;
const flatteners = new Map<string, Flattener>();

/** The flattener for a specification. Planners of one process that differ only in their weights share it. */
export function flattenerFor(spec: PlannerSpec): Flattener {
  const key = JSON.stringify([spec.tools.map((tool) => tool.arity), spec.features, spec.text.buckets, spec.text.maxLength]);
  let flattener = flatteners.get(key);
  if (!flattener) {
    if (flatteners.size >= SPECIFICATIONS) flatteners.delete(flatteners.keys().next().value!);
    flattener = new Flattener(spec);
    flatteners.set(key, flattener);
  }
  return flattener;
}

/** Flattens batches for one specification; remembers decoded observations by their bytes. */
export class Flattener {
  private readonly decoded = new Map<string, Decoded>();
  private readonly columns: ToolColumns;

  constructor(private readonly spec: PlannerSpec) {
    this.columns = toolColumns(spec);
  }

  /** Sub-batches have text tables of their own; equal texts are merged over all of them, texts nobody refers to left out. */
  flatten(batches: readonly ObservationBatch[]): FlatBatch {
    const texts = new TextTable(this.spec);
    const distinct: Placed[] = [];
    const indices = batches.map((batch) => {
      const text = texts.resolver(batch.texts);
      const seen = new Map<string, number>();
      return Int32Array.from(batch.observations, (bytes) => {
        const key = byteKey(bytes);
        let index = seen.get(key);
        if (index === undefined) {
          index = distinct.length;
          seen.set(key, index);
          distinct.push({ decoded: this.decode(key, bytes), text });
        }
        return index;
      });
    });
    return this.assemble(texts, indices, distinct);
  }

  private decode(key: string, bytes: Uint8Array): Decoded {
    let decoded = this.decoded.get(key);
    if (!decoded) {
      decoded = decode(bytes, this.spec);
      if (this.decoded.size >= CACHE_LIMIT) this.decoded.clear();
      this.decoded.set(key, decoded);
    }
    return decoded;
  }

  private assemble(texts: TextTable, indices: Int32Array[], distinct: Placed[]): FlatBatch {
    const flat = emptyBatch(texts, indices, distinct, this.spec);
    const totals = flat.tuples.map(({ count }) => count);
    const { count } = this.columns;
    const scoreBase = [0, totals[0]! * count[0], totals[0]! * count[0] + totals[1]! * count[1]];
    const rows = new DistinctRows(this.spec.features.action);
    const at: Offsets = { observation: 0, item: 0, action: 0, tuples: [0, 0, 0] };
    for (const placed of distinct) {
      const { decoded } = placed;
      addItems(flat, placed, at, this.spec.features);
      addTuples(flat.tuples, decoded, at);
      this.addActions(flat, decoded, at, { scoreBase, rowMap: rows.add(decoded) });
      for (let k = 0; k < 3; k++) at.tuples[k]! += decoded.tuples[k]!.count;
      at.item += decoded.items;
      at.action += decoded.actions;
      at.observation += 1;
      flat.actionStart[at.observation] = at.action;
    }
    flat.rowCount = rows.count;
    flat.rows = rows.values();
    return flat;
  }

  private addActions(
    flat: FlatBatch,
    decoded: Decoded,
    at: Offsets,
    { scoreBase, rowMap }: { scoreBase: readonly number[]; rowMap: readonly number[] },
  ): void {
    const { features, tools } = this.spec;
    for (let a = 0; a < decoded.actions; a++) {
      const tool = decoded.actionTool[a]!;
      const arity = tools[tool]!.arity;
      const tuple = at.tuples[arity]! + decoded.actionTuple[a]!;
      flat.actionScore[at.action + a] = scoreBase[arity]! + tuple * this.columns.count[arity] + this.columns.column[tool]!;
      if (features.action > 0) flat.actionFeature[at.action + a] = rowMap[decoded.actionRow[a]!]! * tools.length + tool;
    }
  }
}

/** Where the next observation goes in a flat batch. */
interface Offsets {
  observation: number;
  item: number;
  action: number;
  /** By arity. */
  tuples: [number, number, number];
}

/** A batch of the right sizes, to be filled. */
function emptyBatch(texts: TextTable, indices: Int32Array[], distinct: readonly Placed[], { features }: PlannerSpec): FlatBatch {
  const observations = distinct.length;
  let items = 0;
  let actions = 0;
  const tupleTotals = [0, 0, 0];
  for (const { decoded } of distinct) {
    items += decoded.items;
    actions += decoded.actions;
    for (let k = 0; k < 3; k++) tupleTotals[k]! += decoded.tuples[k]!.count;
  }
  const tuples = tupleTotals.map((count, arity) => ({
    count,
    observation: new Int32Array(count),
    args: Array.from({ length: arity }, () => new Int32Array(count)),
  })) as [FlatTuples, FlatTuples, FlatTuples];
  return {
    texts: texts.texts,
    textKeys: texts.keys,
    indices,
    observations,
    observationText: new Int32Array(observations),
    state: new Float32Array(observations * features.state),
    items,
    itemObservation: new Int32Array(items),
    itemText: new Int32Array(items),
    itemAt: new Int32Array(items),
    itemFlags: new Float32Array(items * features.item),
    itemShare: new Float32Array(observations),
    tuples,
    actionStart: new Int32Array(observations + 1),
    actionScore: new Int32Array(actions),
    actionFeature: new Int32Array(actions),
    rows: new Float32Array(0),
    rowCount: 0,
  };
}

/** The observation's own features, and its items. */
function addItems(flat: FlatBatch, { decoded, text: resolve }: Placed, at: Offsets, features: PlannerSpec['features']): void {
  const { observation, item } = at;
  const text = resolve(decoded.text);
  const textLength = flat.texts[text]!.length;
  flat.observationText[observation] = text;
  flat.state.set(decoded.state, observation * features.state);
  flat.itemFlags.set(decoded.itemFlags, item * features.item);
  flat.itemShare[observation] = decoded.items > 0 ? 1 / decoded.items : 0;
  for (let i = 0; i < decoded.items; i++) {
    flat.itemObservation[item + i] = observation;
    flat.itemText[item + i] = resolve(decoded.itemText[i]!);
    const position = decoded.itemAt[i]!;
    flat.itemAt[item + i] = position < textLength ? position : -1;
  }
}

function addTuples(tuples: FlatBatch['tuples'], decoded: Decoded, at: Offsets): void {
  for (let k = 0; k < 3; k++) {
    const from = decoded.tuples[k]!;
    const to = tuples[k]!;
    const start = at.tuples[k]!;
    to.observation.fill(at.observation, start, start + from.count);
    for (let j = 0; j < k; j++) {
      const args = to.args[j]!;
      for (let t = 0; t < from.count; t++) args[start + t] = at.item + from.args[t * k + j]!;
    }
  }
}

/** Distinct action features over all observations of a batch. */
class DistinctRows {
  private readonly index = new Map<string, number>();
  private readonly rows: Float32Array[] = [];

  /** @param width features of an action */
  constructor(private readonly width: number) {}

  get count(): number {
    return this.rows.length;
  }

  /** Takes up an observation's rows. Returns the index of each. */
  add(decoded: Decoded): number[] {
    return decoded.rowKeys.map((key, r) => {
      let index = this.index.get(key);
      if (index === undefined) {
        index = this.rows.length;
        this.index.set(key, index);
        this.rows.push(decoded.rows.subarray(r * this.width, (r + 1) * this.width));
      }
      return index;
    });
  }

  /** All rows, one after the other. */
  values(): Float32Array {
    const values = new Float32Array(this.rows.length * this.width);
    this.rows.forEach((row, r) => values.set(row, r * this.width));
    return values;
  }
}

/** Calls back for every item that stands somewhere in its observation's text. */
export function standingPositions(flat: FlatBatch, visit: (item: number, text: number, position: number) => void): void {
  for (let item = 0; item < flat.items; item++) {
    const at = flat.itemAt[item]!;
    if (at >= 0) visit(item, flat.observationText[flat.itemObservation[item]!]!, at);
  }
}

/** A decoded observation and how its text indices are to be read. */
interface Placed {
  decoded: Decoded;
  text: (index: number) => number;
}

/** Distinct texts by content; 0 is the empty one. */
class TextTable {
  readonly texts: Int32Array[] = [new Int32Array(0)];
  readonly keys: string[] = [''];
  private readonly index = new Map<string, number>([['', 0]]);

  constructor(private readonly spec: PlannerSpec) {}

  /** Maps indices into `table` (-1: none) to distinct texts, taking a text up when it is first referred to. */
  resolver(table: readonly Int32Array[]): (text: number) => number {
    const known = new Int32Array(table.length).fill(-1);
    return (text) => {
      if (text < 0) return 0;
      if (text >= table.length) {
        throw new MillraceError(
          'invalid_argument',
          `an observation refers to text ${text}, but its batch has ${table.length} texts`,
        );
      }
      if (known[text]! < 0) known[text] = this.take(table[text]!);
      return known[text]!;
    };
  }

  private take(tokens: Int32Array): number {
    const { maxLength, buckets } = this.spec.text;
    const kept = tokens.length > maxLength ? tokens.subarray(0, maxLength) : tokens;
    const key = byteKey(kept);
    const held = this.index.get(key);
    if (held !== undefined) return held;
    for (const token of kept) {
      if (token < 0 || token >= buckets) {
        throw new MillraceError('invalid_argument', `token id ${token} is outside [0, ${buckets}): tokenised for another policy`);
      }
    }
    this.index.set(key, this.texts.length);
    this.keys.push(key);
    return this.texts.push(kept) - 1;
  }
}

function byteKey(array: Uint8Array | Int32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('latin1');
}
