import { MillraceError } from '../errors.ts';

/** A learner's answer to one shard: sums, never means. */
export interface ShardSum {
  shard: number;
  /** Sum of weight × gradient; the same length in all shards. */
  gradient: Float32Array;
  weight: number;
  /** Sums over the shard. */
  statistics: Readonly<Record<string, number>>;
}

/** Sums over a round. */
export interface RoundSum {
  gradient: Float64Array;
  weight: number;
  statistics: Record<string, number>;
}

/**
 * Adds the shards 0 … n − 1 of a round in shard order in float64, whatever the order they came in: the same results in any
 * order give the same bits. Divide by `weight` once, afterwards. `shards`: how many there must be.
 *
 * Throws `internal` when one is missing, twice or of another length, and `data_loss` when it holds a number that is not
 * finite: such a round must not be committed.
 */
export function reduceShards(results: readonly ShardSum[], shards: number): RoundSum {
  const ordered = [...results].sort((a, b) => a.shard - b.shard);
  if (ordered.length !== shards || ordered.some((result, i) => result.shard !== i)) {
    const got = ordered.map((result) => result.shard).join(', ');
    throw new MillraceError('internal', `a round of ${shards} shards was reduced with shards ${got || 'none'}`);
  }
  const size = ordered[0]?.gradient.length ?? 0;
  const sum: RoundSum = { gradient: new Float64Array(size), weight: 0, statistics: {} };
  for (const result of ordered) add(sum, result);
  return sum;
}

function add(sum: RoundSum, result: ShardSum): void {
  const { gradient, weight, shard } = result;
  const total = sum.gradient;
  if (gradient.length !== total.length) {
    throw new MillraceError('internal', `shard ${shard} has ${gradient.length} gradient values, not ${total.length}`);
  }
  const { length } = total;
  let check = 0;
  for (let i = 0; i < length; i++) {
    const value = gradient[i]!;
    total[i]! += value;
    // A sum of squares of finite float32 values cannot overflow in float64, so this catches NaN and infinity in one pass.
    check += value * value;
  }
  if (!Number.isFinite(check + weight)) {
    throw new MillraceError('data_loss', `shard ${shard} holds a gradient or weight that is not finite; lower learningRate`);
  }
  sum.weight += weight;
  for (const [name, value] of Object.entries(result.statistics)) {
    sum.statistics[name] = (sum.statistics[name] ?? 0) + value;
  }
}
