import type { GradientSum } from '../policy.ts';

/** Adds summed statistics into `into`, name by name. */
export function addStatistics(into: Record<string, number>, statistics: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(statistics)) into[name] = (into[name] ?? 0) + value;
}

/** Adds gradient sums in the order given, in float64; divide by `weight` once, at the end. */
export function addGradientSums(sums: readonly GradientSum[], size: number): GradientSum {
  const gradient = new Float64Array(size);
  const total: GradientSum = { gradient: new Float32Array(0), weight: 0, decisions: 0, statistics: {} };
  for (const sum of sums) {
    for (let i = 0; i < size; i++) gradient[i]! += sum.gradient[i]!;
    total.weight += sum.weight;
    total.decisions += sum.decisions;
    addStatistics(total.statistics, sum.statistics);
  }
  total.gradient = Float32Array.from(gradient);
  return total;
}
