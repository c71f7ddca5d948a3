import { decorrelatedJitterGenerator, ExponentialBackoff, type IBackoff } from 'cockatiel';
import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import { ModelError } from '../model-error.ts';
import { aroundOpening, type ModelWrapper } from './around.ts';

/** How calls are tried again. */
export interface RetryOptions {
  /** Tries of a call, the first included; 1 to 20. Default 4. */
  attempts?: number | undefined;
  /** First wait, in milliseconds; it grows, with jitter, to `maxMs`. Default 500. */
  baseMs?: number | undefined;
  /** Longest wait that is not asked for. Default 30_000. */
  maxMs?: number | undefined;
  /** A provider that asks for a longer wait (`Retry-After`) is not tried again here: the caller may have something better to do. Default 60_000. */
  longestRetryAfterMs?: number | undefined;
  /** Told before each wait. */
  onRetry?: ((error: MillraceError, waitMs: number) => void) | undefined;
}

/**
 * Tries calls again that may succeed later: rate limits, outages, time-outs, answers that cannot be read. It waits as long as the provider asks,
 * at least a growing time with jitter. Each try is a call of its own for what is inside. A stream is tried again until its first event.
 */
export function retrying(options: RetryOptions, clock: Clock): ModelWrapper {
  const { attempts = 4, baseMs = 500, maxMs = 30_000, longestRetryAfterMs = 60_000, onRetry } = options;
  // Waits of the library cannot be stopped, and know no other clock: only their lengths are taken.
  const delays = new ExponentialBackoff({ initialDelay: baseMs, maxDelay: maxMs, generator: decorrelatedJitterGenerator });
  return (model) =>
    aroundOpening(model, async (attempt, open) => {
      const { signal } = attempt.options;
      let delay: IBackoff<unknown> | undefined;
      for (let made = 1; ; made++) {
        try {
          return await open(attempt);
        } catch (thrown) {
          const error = MillraceError.from(thrown);
          const asked = error instanceof ModelError ? error.retryAfterMs : 0;
          if (!error.retryable || signal?.aborted || made >= attempts || asked > longestRetryAfterMs) throw thrown;
          delay = delay === undefined ? delays.next() : (delay as ReturnType<typeof delays.next>).next(undefined);
          const waitMs = Math.max(asked, delay.duration);
          onRetry?.(error, waitMs);
          await clock.sleep(waitMs, signal);
        }
      }
    });
}
