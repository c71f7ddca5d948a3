import { AsyncLocalStorage, createHook, type AsyncHook } from 'node:async_hooks';

/**
 * A piece of user code (a tool call, a reward) that this thread's event loop runs or waits for. What it runs synchronously is its
 * own time: the call itself and, where it is tracked, what goes on after each `await`, timer or callback of it.
 */
export class Activity {
  #usedMs = 0;

  /**
   * Runs a part of the activity.
   * @param tracked - also count what the part leaves behind to run later. That costs a little for every promise of the process
   *   (ADR 0042): leave it out for functions that are known to be synchronous.
   */
  run<R>(part: () => R, tracked: boolean): R {
    if (tracked) track();
    enter(this);
    try {
      return tracked ? storage.run(this, part) : part();
    } finally {
      leave();
    }
  }

  /** Milliseconds of the event loop that it has used, up to now. */
  get usedMs(): number {
    return this.#usedMs + (running.at(-1) === this ? performance.now() - since : 0);
  }

  /** @internal Charges it for time that has just passed. */
  charge(ms: number): void {
    this.#usedMs += ms;
  }
}

/** What runs now; the last one is charged, those before it called it. */
const running: Activity[] = [];
/** performance.now() when the last one began or went on. */
let since = 0;

function enter(activity: Activity): void {
  settle();
  running.push(activity);
}

function leave(): void {
  settle();
  running.pop();
}

function settle(): void {
  const now = performance.now();
  running.at(-1)?.charge(now - since);
  since = now;
}

/** Forgets what is said to run. For callbacks of the event loop itself: one that threw may not have been seen to end. */
export function nothingRuns(): void {
  running.length = 0;
}

let storage = new AsyncLocalStorage<Activity>();
let hook: AsyncHook | undefined;

function track(): void {
  hook ??= createHook({
    before() {
      const activity = storage.getStore();
      if (activity !== undefined) enter(activity);
    },
    after() {
      if (storage.getStore() !== undefined && running.length > 0) leave();
    },
  }).enable();
}

/** Ends the tracking until the next tracked part: whatever was tracked has ended, or nobody waits for it. */
export function stopTracking(): void {
  if (hook === undefined) return;
  hook.disable();
  hook = undefined;
  storage.disable();
  storage = new AsyncLocalStorage();
}
