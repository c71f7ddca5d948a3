import { MillraceError } from '../../../src/errors.ts';

/** A deliberate mistake in production code, which simulation must notice. */
export interface Mutation {
  /** Lower-case words with hyphens. */
  name: string;
  /** Module that is changed, from the root of the checkout. */
  file: string;
  /** Texts that are replaced; each must be there once. Mostly a single one. */
  edits: readonly { find: string; replace: string }[];
  /** Which promise it breaks, as a sentence. */
  breaks: string;
}

/** The source of the module with the mistake in it; `failed_precondition` when a text to replace is not there exactly once. */
export function mutated(source: string, { name, file, edits }: Mutation): string {
  return edits.reduce((text, { find, replace }) => {
    const times = text.split(find).length - 1;
    if (times === 1) return text.replace(find, () => replace);
    throw new MillraceError(
      'failed_precondition',
      `mutation ${name} does not apply: ${JSON.stringify(find)} is ${times} times in ${file}, not once; adapt it to the code as it is now`,
    );
  }, source);
}
