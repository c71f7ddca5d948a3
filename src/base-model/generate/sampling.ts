/** Drawing tokens from logits. */
import { MillraceError } from '../../errors.ts';
import type { Sampling } from './request.ts';

/** A token and its log-probability. */
export interface Drawn {
  token: number;
  /** In nats. */
  logProbability: number;
}

/**
 * Draws a token.
 *
 * @param allowed - ids to choose from, ascending; undefined: all
 * @param uniform - in [0, 1); not used at temperature 0
 */
export function draw(logits: Float32Array, sampling: Sampling, allowed: Uint32Array | undefined, uniform: number): Drawn {
  if (sampling.temperature === 0) {
    const support = supportOf(logits, { temperature: 1 }, allowed);
    return { token: support.best, logProbability: -Math.log(support.total) };
  }
  const support = supportOf(logits, sampling, allowed);
  const { ids, total, most, scale } = support;
  let left = uniform * total;
  const count = ids?.length ?? logits.length;
  for (let index = 0; index < count; index++) {
    const token = ids ? ids[index]! : index;
    left -= Math.exp((logits[token]! - most) * scale);
    if (left < 0) return { token, logProbability: (logits[token]! - most) * scale - Math.log(total) };
  }
  // What is left is rounding.
  return { token: support.best, logProbability: -Math.log(total) };
}

/** log-probability of a token; -Infinity where it could not have been drawn. @param allowed - as for {@link draw} */
export function logProbabilityOf(
  token: number,
  logits: Float32Array,
  sampling: Sampling,
  allowed: Uint32Array | undefined,
): number {
  if (allowed?.length === 0) return -Infinity;
  const { ids, total, most, scale } = supportOf(logits, sampling, allowed);
  if (ids && !ids.includes(token)) return -Infinity;
  return (logits[token]! - most) * scale - Math.log(total);
}

/** Tokens that can be drawn. */
interface Support {
  /** Ascending; undefined: all. */
  ids: Uint32Array | undefined;
  /** The most likely one; of equals, the one with the smaller id. */
  best: number;
  /** Its logit. */
  most: number;
  /** 1 / temperature. */
  scale: number;
  /** Sum of exp((logit - most) · scale). */
  total: number;
}

function supportOf(logits: Float32Array, { temperature, topK, topP = 1 }: Sampling, allowed: Uint32Array | undefined): Support {
  const scale = 1 / temperature;
  const best = mostLikely(logits, allowed);
  const most = logits[best]!;
  const isCut = topP < 1 || (topK !== undefined && topK < (allowed?.length ?? logits.length));
  const ids = isCut ? cut(logits, { scale, topK: topK ?? Infinity, topP }, allowed) : allowed;
  const total = sum(logits, ids, (logit) => Math.exp((logit - most) * scale));
  if (!(total > 0 && total < Infinity)) {
    throw new MillraceError(
      'failed_precondition',
      'the model gives no finite logits: its weights, or those of the adapter, have diverged',
    );
  }
  return { ids, best, most, scale, total };
}

function mostLikely(logits: Float32Array, allowed: Uint32Array | undefined): number {
  const count = allowed?.length ?? logits.length;
  let best = allowed ? allowed[0]! : 0;
  for (let index = 1; index < count; index++) {
    const token = allowed ? allowed[index]! : index;
    if (logits[token]! > logits[best]!) best = token;
  }
  return best;
}

function sum(logits: Float32Array, ids: Uint32Array | undefined, weight: (logit: number) => number): number {
  let total = 0;
  if (ids) for (const id of ids) total += weight(logits[id]!);
  else for (const logit of logits) total += weight(logit);
  return total;
}

/** The most likely tokens, ascending by id: at most `topK`, and of those as few as add up to `topP`. */
function cut(
  logits: Float32Array,
  { scale, topK, topP }: { scale: number; topK: number; topP: number },
  allowed: Uint32Array | undefined,
): Uint32Array {
  const heap = allowed ? Uint32Array.from(allowed) : Uint32Array.from(logits.keys());
  const isBefore = (a: number, b: number): boolean => logits[a]! > logits[b]! || (logits[a]! === logits[b]! && a < b);
  for (let place = (heap.length >> 1) - 1; place >= 0; place--) sift(heap, place, heap.length, isBefore);
  const most = logits[heap[0]!]!;
  const weight = (id: number): number => Math.exp((logits[id]! - most) * scale);
  const taken: number[] = [];
  const take = (): number => {
    const id = heap[0]!;
    const length = heap.length - taken.length - 1;
    heap[0] = heap[length]!;
    sift(heap, 0, length, isBefore);
    taken.push(id);
    return weight(id);
  };
  if (topK >= heap.length) {
    const enough = topP * sum(logits, allowed, (logit) => Math.exp((logit - most) * scale));
    for (let total = 0; total < enough && taken.length < heap.length;) total += take();
    return Uint32Array.from(taken).sort();
  }
  while (taken.length < topK) take();
  if (topP === 1) return Uint32Array.from(taken).sort();
  const enough = topP * taken.reduce((total, id) => total + weight(id), 0);
  let count = 0;
  for (let total = 0; total < enough && count < taken.length;) total += weight(taken[count++]!);
  return Uint32Array.from(taken.slice(0, count)).sort();
}

/** Moves an entry of a heap of `length` entries down to its place. */
function sift(heap: Uint32Array, place: number, length: number, isBefore: (a: number, b: number) => boolean): void {
  const moved = heap[place]!;
  for (;;) {
    let child = 2 * place + 1;
    if (child >= length) break;
    if (child + 1 < length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, moved)) break;
    heap[place] = heap[child]!;
    place = child;
  }
  if (place < length) heap[place] = moved;
}
