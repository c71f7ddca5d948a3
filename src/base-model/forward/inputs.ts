import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';
import { adapterRuns, type Adapter } from './adapter.ts';
import { HIDDEN } from './attention.ts';
import type { KeyValueCache } from './cache.ts';
import type { LayerInputs } from './layer.ts';
import { rotaryTables } from './rotary.ts';

/** New tokens of one sequence. */
export interface Sequence {
  /** Ids, at least one. */
  tokens: readonly number[];
  /** What was computed of the tokens before; the new ones are added. Default: there are none before, and nothing is kept. */
  cache?: KeyValueCache;
  /**
   * Place of an earlier sequence of the same pass, without a cache, that these tokens go on from: several can go on from one. Its tokens, and those
   * that it goes on from, come before these. Not beside `cache`.
   */
  after?: number;
  /** Default: the weights as they are. Sequences with the same one are computed together where they follow one another. */
  adapter?: Adapter;
}

/** What all layers of a pass over these sequences have in common. `dispose` gives its tables back. */
export type PassInputs = Omit<LayerInputs, 'index'> & { dispose: () => void };

/** Checks sequences as `forward` says, and lays them side by side. */
export function passInputs(config: ModelConfig, sequences: readonly Sequence[]): PassInputs {
  const starts = check(config, sequences);
  const positions = sequences.flatMap(({ tokens }, s) => tokens.map((_, index) => starts[s]! + index));
  const rotary = rotaryTables(config, positions);
  const mask = branchMask(sequences, positions.length);
  return {
    config,
    rotary,
    mask,
    sequences: sequences.map(({ tokens, cache, after }) => ({ tokens: tokens.length, cache, after })),
    runs: adapterRuns(sequences.map(({ tokens, adapter }) => ({ rows: tokens.length, adapter }))),
    dispose: () => tf.dispose([rotary.cos, rotary.sin, rotary.quarterTurn, ...(mask ? [mask] : [])]),
  };
}

/** Up to so many rows one attention over all of them is less work than many small ones. */
const MASKED_ROWS = 512;

/** What each row must not see where sequences go on from others; undefined where they are better computed one by one. */
function branchMask(sequences: readonly Sequence[], rows: number): tf.Tensor2D | undefined {
  const branches = sequences.some(({ after }) => after !== undefined);
  if (!branches || rows > MASKED_ROWS || sequences.some(({ cache }) => cache)) return undefined;
  const mask = new Float32Array(rows * rows).fill(HIDDEN);
  const starts: number[] = [];
  let start = 0;
  for (const { tokens, after } of sequences) {
    starts.push(start);
    tokens.forEach((_, index) => {
      const row = (start + index) * rows;
      mask.fill(0, row + start, row + start + index + 1);
      for (let before = after; before !== undefined; before = sequences[before]!.after) {
        mask.fill(0, row + starts[before]!, row + starts[before]! + sequences[before]!.tokens.length);
      }
    });
    start += tokens.length;
  }
  return tf.keep(tf.tensor2d(mask, [rows, rows]));
}

/** Position of the first token of each sequence. */
function check(config: ModelConfig, sequences: readonly Sequence[]): number[] {
  const invalid = (message: string) => new MillraceError('invalid_argument', message, { field: 'sequences' });
  if (sequences.length === 0) throw invalid('there are no sequences');
  const caches = sequences.flatMap(({ cache }) => (cache ? [cache] : []));
  if (new Set(caches).size !== caches.length) throw invalid('two sequences have the same cache');
  const starts: number[] = [];
  for (const { tokens, cache, adapter, after } of sequences) {
    if (tokens.length === 0) throw invalid('a sequence has no tokens');
    if (adapter && adapter.layers.length !== config.layers) {
      throw invalid(`an adapter of ${adapter.layers.length} layers; the model has ${config.layers}`);
    }
    const unknown = tokens.find((id) => !(Number.isInteger(id) && id >= 0 && id < config.vocabulary));
    if (unknown !== undefined) throw invalid(`there is no token ${unknown}: the model has ${config.vocabulary}`);
    const before = after === undefined ? undefined : sequences[after];
    if (after !== undefined && (cache || !before || before.cache || after >= starts.length)) {
      throw invalid('`after` names an earlier sequence, and neither of the two has a cache');
    }
    const start = before ? starts[after!]! + before.tokens.length : (cache?.length ?? 0);
    if (start + tokens.length > config.contextLength) {
      throw invalid(`${start + tokens.length} tokens; the model has ${config.contextLength} positions`);
    }
    starts.push(start);
  }
  return starts;
}
