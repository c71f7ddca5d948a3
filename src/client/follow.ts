import { systemClock } from '../clock/system.ts';
import { MillraceError } from '../errors.ts';
import type { Job } from '../gen/millrace/v1/admin_pb.ts';

const RETRY_MS = 500;

/** A job that is there or has changed. */
export interface JobChange {
  job: Job;
  /** It is not one that the filter takes (any more). */
  left: boolean;
}

/** How a stream is opened again. */
export interface Resumption {
  /** How long it is tried, in milliseconds. */
  patienceMs: number;
  signal?: AbortSignal | undefined;
}

/**
 * A stream that goes on after the last item when it breaks: `open` gets the token of that item, '' at first. What cannot be mended by trying
 * again, and what never worked, is thrown.
 */
export async function* resumed<T>(
  open: (token: string) => AsyncIterable<{ value: T; token: string }>,
  { patienceMs, signal }: Resumption,
): AsyncGenerator<T> {
  let token: string | undefined;
  let brokenAt: number | undefined;
  for (;;) {
    try {
      for await (const item of open(token ?? '')) {
        brokenAt = undefined;
        token = item.token;
        yield item.value;
      }
      return;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      brokenAt ??= systemClock.monotonic();
      const isHopeless = token === undefined || !error.retryable || signal?.aborted === true;
      if (isHopeless || systemClock.monotonic() - brokenAt >= patienceMs) throw error;
      await systemClock.sleep(RETRY_MS, signal).catch(() => {
        throw error;
      });
    }
  }
}
