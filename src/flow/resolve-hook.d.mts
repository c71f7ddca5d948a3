/** What `import`s resolve to; the shape that `module.registerHooks` has. */
interface Resolved {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
}
interface Context {
  conditions: string[];
  parentURL?: string;
}

/** Says before anything else what `millrace` stands for: the URL of src/index.ts. */
export function initialize(data: { millrace: string }): void;

/** The hook for `module.registerHooks`. */
export function resolveHere(
  specifier: string,
  context: Context,
  next: (specifier: string, context?: Context) => Resolved,
): Resolved;

/** The part of {@link resolveHere} that is about code snapshots. */
export const resolveFrozen: typeof resolveHere;

interface Source {
  format?: string | null;
  source?: unknown;
  shortCircuit?: boolean;
}

/** The other hook for `module.registerHooks`: runs what comes from a code snapshot. */
export function loadHere(url: string, context: object, next: (url: string, context?: object) => Source): Source;
