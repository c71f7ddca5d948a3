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

/** What a sibling did at a step. */
export interface Cell {
  tool: string;
  arguments: string;
  error: boolean;
  /** `same`: as the first sibling, up to here; `parts`: something else, for the first time; `own`: after that. */
  kind: 'same' | 'parts' | 'own';
}

/** What each sibling did at each step, against the first of them; undefined where it had ended. */
export function aligned(siblings: readonly Sibling[]): (Cell | undefined)[][] {
  const [first] = siblings;
  const steps = Math.max(0, ...siblings.map(({ tools }) => tools.length));
  const parted = siblings.map((sibling) => (first === undefined ? 0 : partsAt(first, sibling)));
  return Array.from({ length: steps }, (_, at) =>
    siblings.map(({ tools, calls, errors }, i): Cell | undefined => {
      const tool = tools[at];
      if (tool === undefined) return undefined;
      const kind = at < parted[i]! ? 'same' : at === parted[i] ? 'parts' : 'own';
      return { tool, arguments: calls[at] ?? '', error: errors[at] ?? false, kind };
    }),
  );
}

/** The first step at which a sibling did something else. */
function partsAt(first: Sibling, other: Sibling): number {
  const at = other.tools.findIndex((tool, i) => tool !== first.tools[i] || other.calls[i] !== first.calls[i]);
  return at < 0 ? Infinity : at;
}
