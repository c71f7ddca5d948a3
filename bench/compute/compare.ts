import type { Loaded } from './protocol.ts';
import { relativeDifference } from './statistics.ts';

/** Largest difference that passes as rounding, in relation to the larger value. */
const TOLERANCE = 1e-3;
/** Gradients below this share of the largest one are rounding themselves: compared in relation to that floor. */
const FLOOR = 1e-4;

/** Where two participants disagree about a case, one line each; empty when they compute the same. */
export function differences(reference: Loaded, other: Loaded): string[] {
  const found: string[] = [];
  const compare = (what: string, a: number, b: number, floor = 0): void => {
    const apart = Math.max(Math.abs(a), Math.abs(b)) < floor ? Math.abs(a - b) / floor : relativeDifference(a, b);
    if (!(apart <= TOLERANCE)) found.push(`${what}: ${a} and ${b}`);
  };
  compare('loss', reference.loss, other.loss);
  compare('loss after some steps', reference.lossAfter, other.lossAfter);
  // The sum of scores may cancel out, the sum of their squares cannot.
  compare('sum of scores', reference.scores[0], other.scores[0], Math.sqrt(reference.scores[1]));
  compare('squares of scores', reference.scores[1], other.scores[1]);
  const largest = Math.max(...Object.values(reference.norms));
  for (const name of new Set([...Object.keys(reference.norms), ...Object.keys(other.norms)])) {
    compare(`gradient of ${name}`, reference.norms[name] ?? 0, other.norms[name] ?? 0, FLOOR * largest);
  }
  return found;
}
