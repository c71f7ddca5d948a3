import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';

/** Runs `work` with a signal that aborts, with `error()` as its reason, after `ms`. */
export async function within<R>(
  { clock, ms, error }: { clock: Clock; ms: number; error: () => MillraceError },
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const deadline = new AbortController();
  const done = new AbortController();
  clock.sleep(ms, done.signal).then(
    () => deadline.abort(error()),
    () => undefined,
  );
  try {
    return await work(deadline.signal);
  } finally {
    done.abort();
  }
}

/** Rejects with the signal's reason when it aborts. */
export function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(MillraceError.from(signal.reason)), { once: true });
  });
}
