import { CholeskyDecomposition, Matrix } from 'ml-matrix';

/** What a Gaussian process assumes of a function. */
export interface GaussianProcessOptions {
  /** Length scale of each coordinate; > 0. */
  lengthScales: readonly number[];
  /** Variance of the function around its mean; > 0. Default: the one with the greatest likelihood, yᵀK⁻¹y/n. */
  variance?: number;
  /** Variance of the noise of an observation, as a share of `variance`; >= 0. */
  noise: number;
  /** Mean of the function where nothing is known. Default: 0. */
  mean?: number;
}

/** What is believed of a function after some observations. */
export interface GaussianProcess {
  /** Log of the density of the observations, natural units. */
  readonly logLikelihood: number;
  /** Variance in use. */
  readonly variance: number;
  /** Mean and variance of the function (without the noise) at each point. */
  predict(points: readonly (readonly number[])[]): { mean: number[]; variance: number[] };
}

/** Added to the diagonal, as a share of the variance, so that equal points do not make the matrix singular. */
const JITTER = 1e-10;

/** Matérn covariance with ν = 5/2 of two points at distance r in length scales: (1 + √5 r + 5r²/3) exp(−√5 r). */
export function matern52(r: number): number {
  const scaled = Math.sqrt(5) * r;
  return (1 + scaled + (scaled * scaled) / 3) * Math.exp(-scaled);
}

/**
 * Conditions a Gaussian process with a Matérn 5/2 kernel, one length scale a coordinate, on observations (Rasmussen and
 * Williams, Gaussian Processes for Machine Learning, algorithm 2.1).
 *
 * @param points - n points of d coordinates, n >= 1
 * @param values - the n observations
 * @returns undefined when the covariance is not positive definite in floating point
 */
export function gaussianProcess(
  points: readonly (readonly number[])[],
  values: readonly number[],
  options: GaussianProcessOptions,
): GaussianProcess | undefined {
  const { lengthScales, noise, mean = 0 } = options;
  const n = points.length;
  const correlation = (a: readonly number[], b: readonly number[]): number => {
    let squared = 0;
    for (let i = 0; i < lengthScales.length; i += 1) squared += ((a[i]! - b[i]!) / lengthScales[i]!) ** 2;
    return matern52(Math.sqrt(squared));
  };
  const covariance = Matrix.zeros(n, n);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      const entry = correlation(points[i]!, points[j]!) + (i === j ? noise + JITTER : 0);
      covariance.set(i, j, entry);
      covariance.set(j, i, entry);
    }
  }
  const cholesky = new CholeskyDecomposition(covariance);
  if (!cholesky.isPositiveDefinite()) return undefined;
  const centred = values.map((value) => value - mean);
  const weights = cholesky.solve(Matrix.columnVector(centred)).to1DArray();
  const fit = centred.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  const variance = options.variance ?? Math.max(fit / n, 1e-12);
  const halfLogDeterminant = cholesky.lowerTriangularMatrix.diagonal().reduce((sum, entry) => sum + Math.log(entry), 0);
  return {
    variance,
    logLikelihood: -0.5 * (fit / variance + n * Math.log(2 * Math.PI * variance)) - halfLogDeterminant,
    predict: (asked) => {
      if (asked.length === 0) return { mean: [], variance: [] };
      const cross = new Matrix(points.map((point) => asked.map((other) => correlation(point, other))));
      const solved = cholesky.solve(cross);
      const column = (j: number, matrix: (i: number) => number): number => {
        let sum = 0;
        for (let i = 0; i < n; i += 1) sum += cross.get(i, j) * matrix(i);
        return sum;
      };
      return {
        mean: asked.map((_, j) => mean + column(j, (i) => weights[i]!)),
        variance: asked.map((_, j) => variance * Math.max(0, 1 - column(j, (i) => solved.get(i, j)))),
      };
    },
  };
}
