/** What became of a message, as its handler says it. */
export type Settlement =
  /** Done with: it is acknowledged, and its parts are deleted. */
  | { kind: 'done' }
  /** It goes on elsewhere under a copy that names its parts: it is acknowledged, and its parts stay. */
  | { kind: 'moved' }
  /** It is delivered again, after `delayMs`. */
  | { kind: 'later'; delayMs: number }
  | Refusal
  /** Its handler keeps the delivery and settles it, later or by itself. */
  | { kind: 'kept' };

export const DONE: Settlement = { kind: 'done' };
export const MOVED: Settlement = { kind: 'moved' };
export const KEPT: Settlement = { kind: 'kept' };

/** See {@link Settlement}. */
export function later(delayMs: number): Settlement {
  return { kind: 'later', delayMs };
}

/** See {@link Settlement}. */
export function refuse(reason: string): Refusal {
  return { kind: 'refused', reason };
}

/** Nobody can do anything with it: it goes to the DLQ with the reason. */
export interface Refusal {
  kind: 'refused';
  reason: string;
}
