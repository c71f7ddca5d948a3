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

/** What the hooks need to know of this package. */
export interface HookData {
  /** URL of the module that each name stands for, `millrace` among them. */
  entries: Readonly<Record<string, string>>;
  /** URL of this package's folder, with a slash at its end. */
  own: string;
  /** Whether the hooks compile TypeScript. Otherwise another hook does. */
  compile: boolean;
}

/** Says before anything else what the hooks work with. */
export function initialize(data: HookData): void;

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
