import { areEqual } from '../algo/stats/equal.ts';
import { gaussianProcess, type GaussianProcess } from './gaussian-process.ts';

/** Length scales tried, in widths of the search space. */
const LENGTH_SCALES = [0.1, 0.2, 0.35, 0.6, 1, 1.8, 3.2] as const;
/** Shares of noise tried. */
const NOISES = [1e-6, 1e-3, 1e-2, 0.05, 0.2, 0.5] as const;

/** Where the search for length scales and noise begins. */
const START = { scale: 0.6, noise: 1e-2 } as const;
/** Rounds over all coordinates; in practice the second one changes little. */
const PASSES = 3;

/**
 * How likely a length scale is before anything is seen: log-normal around 0.6 of the width. With five observations and four
 * parameters the likelihood alone would call most parameters decisive.
 */
const logPrior = (scale: number): number => -0.5 * Math.log(scale / START.scale) ** 2;
/** The same for the noise: an evaluation on a hundred tasks has some. */
const logNoisePrior = (noise: number): number => -0.5 * (Math.log(noise / START.noise) / 3) ** 2;

/**
 * A Gaussian process whose length scales (one for each group of coordinates) and noise are the likeliest of a small grid,
 * found coordinate by coordinate: marginal likelihood times a weak prior. Values are standardised inside.
 *
 * @param points - n >= 1 points
 * @param values - the n observations
 * @param groups - for each coordinate the group whose length scale it has, counted from 0
 */
export function fitGaussianProcess(
  points: readonly (readonly number[])[],
  values: readonly number[],
  groups: readonly number[],
): GaussianProcess & { lengthScales: number[]; noise: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = areEqual(values) ? 1 : Math.sqrt(squares / values.length);
  const standard = values.map((value) => (value - mean) / deviation);
  const scales: number[] = Array.from({ length: Math.max(-1, ...groups) + 1 }, () => START.scale);
  let noise: number = START.noise;

  const fit = (): { process: GaussianProcess; score: number } => {
    const process = gaussianProcess(points, standard, {
      lengthScales: groups.map((group) => scales[group]!),
      noise,
      // The values are standardised: theirs is 1.
      variance: 1,
    });
    if (process === undefined) return { process: NOTHING, score: -Infinity };
    const score = process.logLikelihood + scales.reduce((sum, scale) => sum + logPrior(scale), 0) + logNoisePrior(noise);
    return { process, score };
  };

  let best = fit();
  /** Keeps the best of some settings of one number. */
  const choose = (candidates: readonly number[], now: number, set: (value: number) => void): void => {
    let kept = now;
    for (const candidate of candidates) {
      if (candidate === kept) continue;
      set(candidate);
      const tried = fit();
      if (tried.score > best.score) [best, kept] = [tried, candidate];
    }
    set(kept);
  };
  for (let pass = 0; pass < PASSES; pass += 1) {
    const before = best.score;
    for (const group of scales.keys()) choose(LENGTH_SCALES, scales[group]!, (scale) => (scales[group] = scale));
    choose(NOISES, noise, (share) => (noise = share));
    if (best.score === before) break;
  }

  return {
    logLikelihood: best.process.logLikelihood,
    variance: best.process.variance * deviation ** 2,
    lengthScales: scales,
    noise,
    predict: (asked) => {
      const predicted = best.process.predict(asked);
      return {
        mean: predicted.mean.map((value) => mean + deviation * value),
        variance: predicted.variance.map((value) => deviation ** 2 * value),
      };
    },
  };
}

/** Where no covariance could be decomposed: the observations' mean everywhere, and all of the doubt. */
const NOTHING: GaussianProcess = {
  logLikelihood: -Infinity,
  variance: 1,
  predict: (asked) => ({ mean: asked.map(() => 0), variance: asked.map(() => 1) }),
};
