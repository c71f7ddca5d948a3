/** A line for each mutation: after how many seeds it was noticed, by which invariant, and how long that took. */
export function table(results, seeds) {
  const cells = [
    ['mutation', 'seeds', 'invariant', 'seconds', ''],
    ...results.map(({ name, seed, invariant, problem, reason, seconds, alsoWithout = [] }) => [
      name,
      String(seed ?? '-'),
      problem !== undefined ? 'DOES NOT APPLY' : (invariant ?? `NOT NOTICED in ${seeds}`),
      seconds.toFixed(1),
      [problem ?? reason, alsoWithout.length > 0 && `seeds ${alsoWithout.join(', ')} fail without it, too`]
        .filter(Boolean)
        .join('; ')
        .split('\n')[0]
        .slice(0, 160),
    ]),
  ];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
