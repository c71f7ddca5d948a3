import { MillraceError } from '../errors.ts';
import { checkDuration, type Clock } from './clock.ts';
import { startDriving } from './driven.ts';
import { repeat, sleepOn } from './system.ts';
import { pendingTurns } from './turn.ts';

/** Options of {@link VirtualClock}. */
export interface VirtualClockOptions {
  /** `now()` at the start, in milliseconds since the Unix epoch. Default 1_700_000_000_000. */
  origin?: number;
  /** Event-loop turns in a row without work before time moves. Default 4. */
  quietTurns?: number;
  /** `run` fails with `deadline_exceeded` after this much virtual time. Default 30 days. */
  limitMs?: number;
}

interface Sleeper {
  at: number;
  order: number;
  wake: () => void;
  gone: boolean;
}

/**
 * Time that stands still while anything can run, for serial mode and tests. `run` drives it: when the event loop has had
 * nothing to do for a few turns, time jumps to the next sleeper. Sleepers wake in the order (time, registration), one at a
 * time. Real asynchronous work (a compute backend, a file) is invisible to it; give such a promise to `hold`.
 */
export class VirtualClock implements Clock {
  readonly #origin: number;
  readonly #quietTurns: number;
  readonly #limitMs: number;
  readonly #heap: Sleeper[] = [];
  /** In the order in which they were held. */
  readonly #held: { settled: Promise<void>; release: () => void }[] = [];
  #time = 0;
  #order = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#origin = options.origin ?? 1_700_000_000_000;
    this.#quietTurns = options.quietTurns ?? 4;
    this.#limitMs = options.limitMs ?? 30 * 86_400_000;
  }

  now(): number {
    return this.#origin + this.#time;
  }

  monotonic(): number {
    return this.#time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  every(ms: number, fn: () => void | Promise<void>): () => void {
    return repeat(this, ms, fn);
  }

  after(ms: number, wake: () => void): () => void {
    checkDuration(ms);
    const sleeper: Sleeper = { at: this.#time + Math.max(0, ms), order: this.#order++, gone: false, wake };
    this.#push(sleeper);
    return () => void (sleeper.gone = true);
  }

  /**
   * Time stands still until `work` (a file, an import) settles. What it settles to is given out when all else is quiet, one after
   * the other in the order of these calls: how long the world outside takes must not decide what comes first in here. Work that
   * waits for other held work never ends.
   */
  hold<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#held.push({ settled: work.then(settleNothing, settleNothing), release: () => void work.then(resolve, reject) });
    });
  }

  /**
   * Advances time until `until` settles and returns what it settles to. Throws `failed_precondition` when nothing sleeps and
   * nothing runs any more (a deadlock), `deadline_exceeded` past `limitMs`.
   */
  run<T>(until: Promise<T>): Promise<T> {
    let settled = false;
    const stopDriving = startDriving(this);
    const settle = (): void => void (settled = true);
    until.then(settle, settle);
    const end = this.#time + this.#limitMs;
    let quiet = 0;
    // Callbacks rather than awaits: a run has thousands of turns, and a promise for each is most of what they cost.
    const result = new Promise<T>((resolve, reject) => {
      const turn = (): void => {
        if (settled) return resolve(until);
        quiet = pendingTurns() > 0 ? 0 : quiet + 1;
        if (quiet < this.#quietTurns) return void setImmediate(turn);
        quiet = 0;
        const held = this.#held[0];
        if (held !== undefined) {
          const release = (): void => {
            if (!settled) this.#held.shift()?.release();
            setImmediate(turn);
          };
          return void Promise.race([until, held.settled]).then(release, release);
        }
        const problem = this.#advance(end);
        if (problem) return reject(problem);
        setImmediate(turn);
      };
      setImmediate(turn);
    });
    return result.finally(stopDriving);
  }

  /** Wakes the next sleeper; returns why there is none. */
  #advance(end: number): MillraceError | undefined {
    const next = this.#pop();
    if (next === undefined)
      return new MillraceError(
        'failed_precondition',
        'virtual time cannot go on: nothing sleeps and nothing runs, yet the awaited work has not ended',
      );
    if (next.at > end)
      return new MillraceError('deadline_exceeded', `the awaited work did not end within ${this.#limitMs} ms of virtual time`);
    this.#time = next.at;
    next.wake();
    return undefined;
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    let i = heap.push(sleeper) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!earlier(sleeper, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = sleeper;
  }

  /** The next sleeper that was not cancelled. */
  #pop(): Sleeper | undefined {
    const heap = this.#heap;
    for (;;) {
      const top = heap[0];
      const last = heap.pop();
      if (top === undefined || last === undefined) return undefined;
      if (heap.length > 0) {
        let i = 0;
        for (;;) {
          let child = 2 * i + 1;
          if (child >= heap.length) break;
          if (child + 1 < heap.length && earlier(heap[child + 1]!, heap[child]!)) child += 1;
          if (!earlier(heap[child]!, last)) break;
          heap[i] = heap[child]!;
          i = child;
        }
        heap[i] = last;
      }
      if (!top.gone) return top;
    }
  }
}

function earlier(a: Sleeper, b: Sleeper): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function settleNothing(): void {}
