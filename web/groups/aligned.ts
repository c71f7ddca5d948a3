/** A trajectory of a group. */
export interface Sibling extends Record<string, unknown> {
  trajectory_id: string;
  member: number;
  success: boolean;
  valid: boolean;
  reward: number;
  advantage: number;
  tools: string[];
  calls: string[];
  errors: boolean[];
}

/** What a sibling did at a step; undefined: it had ended. */
export interface Cell {
  tool: string;
  arguments: string;
  error: boolean;
}

/** What each sibling did at each step, and whether they did different things. */
export function aligned(siblings: readonly Sibling[]): { cells: (Cell | undefined)[]; differs: boolean }[] {
  const steps = Math.max(0, ...siblings.map(({ tools }) => tools.length));
  return Array.from({ length: steps }, (_, at) => {
    const cells = siblings.map(({ tools, calls, errors }): Cell | undefined => {
      const tool = tools[at];
      return tool === undefined ? undefined : { tool, arguments: calls[at] ?? '', error: errors[at] ?? false };
    });
    const done = new Set(cells.map((cell) => (cell === undefined ? '' : `${cell.tool} ${cell.arguments}`)));
    return { cells, differs: done.size > 1 };
  });
}
