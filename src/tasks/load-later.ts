import { MillraceError } from '../errors.ts';
import type { Retry } from '../flow/retry-later.ts';

/**
 * A flow's `load` threw RetryLater: what it reads from cannot answer now. `unavailable` with field `load`: a job that runs waits and
 * loads again, and who is about to create one is told to try again.
 */
export class LoadLater extends MillraceError {
  readonly retry: Retry;

  constructor(retry: Retry, cause?: unknown) {
    const when = retry.afterMs > 0 ? `in ${Math.ceil(retry.afterMs / 1000)} s` : 'later';
    super('unavailable', `${retry.source} cannot read its tasks now (${retry.reason}); try again ${when}`, {
      field: 'load',
      cause,
    });
    this.retry = retry;
  }
}
