/** Adds summed statistics into `into`, name by name. */
export function addStatistics(into: Record<string, number>, statistics: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(statistics)) into[name] = (into[name] ?? 0) + value;
}
