/** What this process has read of files that policies name; what is named again by its digest is not read again. */
import { MillraceError } from '../../errors.ts';

/** Numbers that policies start from, by digest: of base models whose weights are all trained, and of adapters. */
const starts = new Map<string, Float32Array>();

/** Keeps numbers for {@link startOf}. */
export function keepStart(digest: string, values: Float32Array): void {
  starts.set(digest, values);
}

export function hasStart(digest: string): boolean {
  return starts.has(digest);
}

/** Numbers that were read before. `failed_precondition` when this process has not read them. */
export function startOf(digest: string): Float32Array {
  const values = starts.get(digest);
  if (values !== undefined) return values;
  throw new MillraceError(
    'failed_precondition',
    `the weights with digest ${digest.slice(0, 12)}… that training starts from have not been read in this process`,
    { field: 'policy.base' },
  );
}
