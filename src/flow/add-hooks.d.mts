/** What the module hooks need to know of this package. */
export interface HookData {
  /** URL of the module that each name stands for, `millrace` among them. */
  entries: Readonly<Record<string, string>>;
  /** URL of this package's folder, with a slash at its end. */
  own: string;
  /** URL of the folder with the `src` and `cluster` that run, with a slash at its end. */
  code: string;
  /** Of their modules: `.ts` or `.js`. */
  ending: string;
  /** Whether the hooks compile TypeScript. Otherwise another hook does (tsx). */
  compile: boolean;
}

/** Adds the module hooks for flows (resolve-hook.mjs) to this process. Once. */
export function addHooks(data: HookData): void;
