import { MillraceError } from '../errors.ts';
import { checkDuration, type Clock } from './clock.ts';

/** Longest delay setTimeout can hold; longer sleeps are cut into pieces. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;

/** Real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, wake) {
    checkDuration(ms);
    const end = performance.now() + ms;
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = setTimeout(
        () => {
          const rest = end - performance.now();
          if (left > LONGEST_TIMEOUT_MS && rest > 0) wait(rest);
          else wake();
        },
        Math.min(Math.max(left, 0), LONGEST_TIMEOUT_MS),
      );
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  sleep(ms, signal) {
    return sleepOn(systemClock, ms, signal);
  },
  every(ms, fn) {
    return repeat(systemClock, ms, fn);
  },
};

/** `Clock.sleep` on top of `after`. */
export function sleepOn(clock: Pick<Clock, 'after'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal === undefined) return void clock.after(ms, resolve);
    const cancelled = (): MillraceError => new MillraceError('cancelled', 'the wait was cancelled', { cause: signal.reason });
    if (signal.aborted) return reject(cancelled());
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = (): void => {
      cancel();
      reject(cancelled());
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * `Clock.every` on top of `sleep`: calls `fn` every `ms`, skips turns that `fn` is still running in. An error of `fn` ends
 * nothing here and is rethrown as an unhandled rejection: whoever repeats must handle its own errors.
 */
export function repeat(clock: Clock, ms: number, fn: () => void | Promise<void>): () => void {
  if (!(Number.isFinite(ms) && ms > 0))
    throw new MillraceError('invalid_argument', `a finite number of milliseconds above 0 is needed, got ${String(ms)}`, {
      field: 'ms',
    });
  const stop = new AbortController();
  void (async () => {
    let due = clock.monotonic() + ms;
    while (!stop.signal.aborted) {
      const slept = await clock.sleep(Math.max(0, due - clock.monotonic()), stop.signal).then(
        () => true,
        () => false,
      );
      if (!slept || stop.signal.aborted) return;
      await fn();
      const now = clock.monotonic();
      // The next multiple of ms that is still to come.
      due = due > now ? due : due + ms * Math.max(1, Math.ceil((now - due) / ms));
    }
  })();
  return () => stop.abort();
}
