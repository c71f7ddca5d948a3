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
