/** Options of {@link clippedSurrogate}. */
export interface SurrogateOptions {
  /** The ratio is clipped from below at 1 - clipLow. */
  clipLow: number;
  /** The ratio is clipped from above at 1 + clipHigh. */
  clipHigh: number;
  /** For negative advantages the loss is at most dualClip * |A|; > 1. Off when absent. */
  dualClip?: number | undefined;
}

/** What {@link clippedSurrogate} returns; one entry per decision. */
export interface Surrogate {
  loss: Float64Array;
  /** d loss / d logProb. */
  derivative: Float64Array;
  /** exp(logProb - oldLogProb), the log-ratio clamped to [-20, 20]. */
  ratio: Float64Array;
  /** 1 where a clip is active, so that the derivative is 0; 0 where the advantage is 0, which has nothing to clip. */
  clipped: Uint8Array;
}

/** Log-ratios beyond this are cut off before exponentiation. */
export const MAX_LOG_RATIO = 20;

/**
 * The clipped surrogate of PPO and GRPO as a loss (to be minimised), decision by decision:
 * -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A), with `dualClip` c: min(that, -c A) where A < 0.
 *
 * Source: Schulman et al., arXiv 1707.06347; asymmetric bounds: DAPO, arXiv 2503.14476; dual clip: arXiv 1912.09729.
 */
export function clippedSurrogate(
  logProbs: ArrayLike<number>,
  oldLogProbs: ArrayLike<number>,
  advantages: ArrayLike<number>,
  options: SurrogateOptions,
): Surrogate {
  const n = logProbs.length;
  const loss = new Float64Array(n);
  const derivative = new Float64Array(n);
  const ratio = new Float64Array(n);
  const clipped = new Uint8Array(n);
  const low = 1 - options.clipLow;
  const high = 1 + options.clipHigh;
  for (let i = 0; i < n; i++) {
    const advantage = advantages[i]!;
    const difference = logProbs[i]! - oldLogProbs[i]!;
    const r = Math.exp(Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, difference)));
    ratio[i] = r;
    if (advantage === 0) continue;
    const bounded = Math.min(high, Math.max(low, r));
    let value = -Math.min(r * advantage, bounded * advantage);
    // Where the bounded term is the smaller one it is constant in r; likewise beyond the clamp of the log-ratio.
    let active = bounded * advantage < r * advantage || Math.abs(difference) > MAX_LOG_RATIO;
    if (options.dualClip !== undefined && advantage < 0 && value > -options.dualClip * advantage) {
      value = -options.dualClip * advantage;
      active = true;
    }
    loss[i] = value;
    derivative[i] = active ? 0 : -r * advantage;
    clipped[i] = active ? 1 : 0;
  }
  return { loss, derivative, ratio, clipped };
}
