/** Euclidean norm, accumulated in float64. */
export function globalNorm(gradient: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < gradient.length; i++) squares += gradient[i]! * gradient[i]!;
  return Math.sqrt(squares);
}

/**
 * Scales the gradient in place so that its Euclidean norm is at most `maxNorm` (0 = off) and returns the norm it had.
 * A gradient whose norm is not finite is left alone: the caller sees the norm and must not apply it.
 */
export function clipByGlobalNorm(gradient: Float32Array | Float64Array, maxNorm: number): number {
  const norm = globalNorm(gradient);
  if (maxNorm > 0 && norm > maxNorm && Number.isFinite(norm)) {
    const scale = maxNorm / norm;
    for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i]! * scale;
  }
  return norm;
}
