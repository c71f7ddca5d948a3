import type { Refusal } from './guard.ts';

/** The refusal of something that is not known to be harmless. */
export const outside = (message: string): Refusal => ({ kind: 'outside', message });

/** What is said of a function. */
export const notAllowed = (name: string): string =>
  `${name}() is not among the functions that are known to stay within the store`;

/** The refusal of a call that could only fail. */
export const unknownFunction = (name: string): Refusal => ({
  kind: 'unknown',
  message: `Function with name \`${name}\` does not exist; system.functions lists those there are`,
});
