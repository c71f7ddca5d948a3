import { currentClock } from '../clock/activity.ts';
import { MillraceError } from '../errors.ts';
import { retryAfterMs } from '../http/retry-after.ts';

/** Longest wait that can be asked for: one day. */
export const MAX_AFTER_MS = 24 * 3600 * 1000;
/** Reasons are cut to this many characters: they are shown in one line. */
const MAX_REASON = 300;

/** Options of {@link RetryLater}. */
export interface RetryLaterOptions {
  /**
   * Least time until the call may be made again, in milliseconds, 0 to 86_400_000 (one day). More than a day is taken as one day; what is
   * negative or not a number counts as 0. Default 0: the back-off alone decides (1 s, doubling to 5 minutes).
   */
  afterMs?: number;
  /** What is unavailable, for people, e.g. `search API: HTTP 429`; cut to 300 characters. Default `no reason given`. */
  reason?: string;
}

/**
 * Throw this from a tool, a reward or `load` when something it calls cannot answer now: a rate limit, an outage, a deployment. Nobody is charged
 * for it: nothing is sampled again, nothing is scored. The job admits no further requests, and the call is made again after the wait, for
 * as long as it takes. Throw it before changing memory, since the same call is made again. See docs/troubleshooting.md.
 */
export class RetryLater extends Error {
  override readonly name = 'RetryLater';
  /** Least wait, in milliseconds. */
  readonly afterMs: number;
  readonly reason: string;

  constructor(options: RetryLaterOptions = {}) {
    const reason = reasonOf(options.reason);
    super(reason);
    this.reason = reason;
    this.afterMs = waitOf(options.afterMs);
  }

  /**
   * For the answer of an HTTP service: a RetryLater when the status says that the call may succeed later (429 or 503), with the wait of its
   * `Retry-After` header (seconds or an HTTP date); undefined for every other status.
   *
   * @param what - names the service in the reason. Default: the response's URL without its query.
   * @param now - Unix milliseconds. Default: the time of the flow that calls.
   */
  static fromResponse(response: HttpResponse, what?: string, now = currentClock().now()): RetryLater | undefined {
    const { status, headers, url = '' } = response;
    if (status !== 429 && status !== 503) return undefined;
    const name = what ?? url.replace(/[?#].*$/, '');
    return new RetryLater({
      afterMs: retryAfterMs(headers.get('retry-after'), now),
      reason: `${name === '' ? '' : `${name}: `}HTTP ${status}`,
    });
  }
}

/** What {@link RetryLater.fromResponse} reads of a `fetch` response. */
export interface HttpResponse {
  status: number;
  headers: { get(name: string): string | null };
  url?: string;
}

/** Whether a flow or a reward threw it to ask for another try later. By name: a flow may have its own copy of the class. */
export function isRetryLater(thrown: unknown): thrown is Error & { afterMs?: unknown; reason?: unknown } {
  return thrown instanceof Error && thrown.name === 'RetryLater';
}

/** The request for another try, whatever copy of the class was thrown, with what asked for it. */
export interface Retry {
  afterMs: number;
  reason: string;
  /** `tool 'search'`, `reward`, or the part of the flow that threw. */
  source: string;
}

export function retryOf(thrown: Error & { afterMs?: unknown; reason?: unknown }, source: string): Retry {
  return { afterMs: waitOf(thrown.afterMs), reason: reasonOf(thrown.reason ?? thrown.message), source };
}

/** Ends a group that nobody waits for in place: it is handed back whole and run again later. */
export class HandBack extends MillraceError {
  readonly retry: Retry;

  constructor(retry: Retry) {
    super('unavailable', `${retry.source}: ${retry.reason}`);
    this.retry = retry;
  }
}

/** Waits and makes a call again that threw {@link RetryLater}. */
export interface Retrier {
  /**
   * Resolves or rejects as `call` does once it no longer asks for another try. Rejects with {@link HandBack} when the wait is too long to
   * be spent here, and with `cancelled` when the signal aborts.
   */
  again<R>(retry: Retry, call: () => R | Promise<R>, signal?: AbortSignal): Promise<R>;
}

/** Makes a call; one that asks for another try is made again by `retrier`, or handed back where there is none. */
export function retrying<R>(
  source: string,
  call: () => R | Promise<R>,
  retrier: Retrier | undefined,
  signal?: AbortSignal,
): R | Promise<R> {
  const again = (thrown: unknown): Promise<R> => {
    if (!isRetryLater(thrown)) throw thrown;
    const retry = retryOf(thrown, source);
    if (retrier === undefined) throw new HandBack(retry);
    return retrier.again(retry, call, signal);
  };
  let result: R | Promise<R>;
  try {
    result = call();
  } catch (thrown) {
    return again(thrown);
  }
  return result instanceof Promise ? result.catch(again) : result;
}

function waitOf(value: unknown): number {
  if (typeof value !== 'number' || Number.isNaN(value)) return 0;
  return Math.min(MAX_AFTER_MS, Math.max(0, Math.round(Math.min(value, MAX_AFTER_MS))));
}

function reasonOf(value: unknown): string {
  const text = typeof value === 'string' ? value.replace(/\s+/g, ' ').trim() : '';
  if (text === '') return 'no reason given';
  return text.length > MAX_REASON ? `${text.slice(0, MAX_REASON - 1)}…` : text;
}
