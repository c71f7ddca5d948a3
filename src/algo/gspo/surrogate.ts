import { MAX_LOG_RATIO } from '../surrogate/clipped.ts';

/** Columns of {@link sequenceSurrogate}. */
export interface SequenceColumns {
  /** One per decision, sequence after sequence. */
  logProbs: ArrayLike<number>;
  oldLogProbs: ArrayLike<number>;
  /** Where each sequence begins, and the end of the last one: n + 1 entries for n sequences. */
  start: ArrayLike<number>;
  /** One per sequence. */
  advantages: ArrayLike<number>;
}

/** What {@link sequenceSurrogate} returns. */
export interface SequenceSurrogate {
  /** One per sequence. */
  loss: Float64Array;
  /** d loss / d logProb, one per decision. */
  derivative: Float64Array;
  /** s, one per sequence. */
  ratio: Float64Array;
  /** 1 where the clip is active; one per sequence. */
  clipped: Uint8Array;
}

/**
 * The clipped surrogate of whole sequences: with s = exp(mean over the sequence's decisions of logProb - oldLogProb), the loss is
 * -min(s A, clip(s, 1 - clipLow, 1 + clipHigh) A). Its gradient reaches every decision through the mean: s A / T each. The mean
 * log-ratio is cut off at +-20. A sequence without decisions has ratio 1 and loss 0: there is nothing to train.
 *
 * Source: Zheng et al., GSPO, arXiv 2507.18071, equations 5 to 7.
 */
export function sequenceSurrogate(
  { logProbs, oldLogProbs, start, advantages }: SequenceColumns,
  { clipLow, clipHigh }: { clipLow: number; clipHigh: number },
): SequenceSurrogate {
  const n = Math.max(0, start.length - 1);
  const result: SequenceSurrogate = {
    loss: new Float64Array(n),
    derivative: new Float64Array(logProbs.length),
    ratio: new Float64Array(n),
    clipped: new Uint8Array(n),
  };
  for (let i = 0; i < n; i++) {
    const [from, to] = [start[i]!, start[i + 1]!];
    const length = to - from;
    result.ratio[i] = 1;
    if (length === 0) continue;
    let sum = 0;
    for (let d = from; d < to; d++) sum += logProbs[d]! - oldLogProbs[d]!;
    const mean = sum / length;
    const s = Math.exp(Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, mean)));
    const advantage = advantages[i]!;
    result.ratio[i] = s;
    if (advantage === 0) continue;
    const bounded = Math.min(1 + clipHigh, Math.max(1 - clipLow, s));
    const active = bounded * advantage < s * advantage || Math.abs(mean) > MAX_LOG_RATIO;
    result.clipped[i] = active ? 1 : 0;
    result.loss[i] = -Math.min(s * advantage, bounded * advantage);
    if (!active) result.derivative.fill((-s * advantage) / length, from, to);
  }
  return result;
}
