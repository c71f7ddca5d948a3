import { AsyncLocalStorage, createHook, type AsyncHook } from 'node:async_hooks';
import type { Clock } from './clock.ts';
import { drivenClock } from './driven.ts';
import { systemClock } from './system.ts';

/** Whose code an activity is. */
export interface ActivityLabel {
  job: string;
  flow: string;
  /** Id of the task. */
  task: string;
  /** Which part of the flow: `tool 'left'`, `plan`, `reward`. */
  part: string;
}

/** Sees labelled activities run; for the process that must say what ran when something went wrong. */
export interface ActivityObserver {
  /** It begins or goes on. */
  began(label: ActivityLabel): void;
  /** It lets go of the event loop. */
  ended(label: ActivityLabel): void;
  /** It has held the event loop for this long at a stretch: called when that is at least {@link LONG_HOLD_MS}. */
  held(label: ActivityLabel, ms: number): void;
}

/** From here on a stretch is one that others notice: heartbeats and leases are a matter of seconds. */
const LONG_HOLD_MS = 1_000;

let observer: ActivityObserver | undefined;

/** Sets the observer of this thread. */
export function observeActivities(seen: ActivityObserver | undefined): void {
  observer = seen;
}

/** The activity whose code runs now, or whose stray callback does. */
export function currentActivity(): Activity | undefined {
  return running.at(-1) ?? storage.getStore();
}

/** The clock by which the user code goes that runs now. */
export function currentClock(): Clock {
  return currentActivity()?.clock ?? drivenClock() ?? systemClock;
}

/**
 * A piece of user code (a tool call, a reward) that this thread's event loop runs or waits for. What it runs synchronously is its
 * own time: the call itself and, where it is tracked, what goes on after each `await`, timer or callback of it.
 *
 * Under a virtual clock code takes no time: nothing is tracked, and nothing is charged.
 */
export class Activity {
  /** What it is called; absent where nobody asks. */
  readonly label: ActivityLabel | undefined;
  readonly clock: Clock;
  #usedMs = 0;
  /** When it began or went on, by its clock. */
  #since = 0;

  constructor(clock: Clock, label?: ActivityLabel) {
    this.clock = clock;
    this.label = label;
  }

  /**
   * Runs a part of the activity.
   * @param tracked - also count what the part leaves behind to run later. That costs a little for every promise of the process
   *   (ADR 0042): leave it out for functions that are known to be synchronous.
   */
  run<R>(part: () => R, tracked: boolean): R {
    const hooked = tracked && this.clock === systemClock;
    if (hooked) track();
    enter(this);
    try {
      return hooked ? storage.run(this, part) : part();
    } finally {
      leave();
    }
  }

  /** Milliseconds of the event loop that it has used, up to now. */
  get usedMs(): number {
    return this.#usedMs + (running.at(-1) === this ? this.clock.monotonic() - this.#since : 0);
  }

  /** @internal It runs from now on. */
  resume(): void {
    this.#since = this.clock.monotonic();
  }

  /** @internal It lets go; returns for how long it ran since it went on. */
  pause(): number {
    const ms = this.clock.monotonic() - this.#since;
    this.charge(ms);
    return ms;
  }

  /** @internal Charges it for time that has just passed. */
  charge(ms: number): void {
    this.#usedMs += ms;
  }
}

/** What runs now; the last one is charged, those before it called it. */
const running: Activity[] = [];

function enter(activity: Activity): void {
  running.at(-1)?.pause();
  running.push(activity);
  activity.resume();
  if (observer !== undefined && activity.label !== undefined) observer.began(activity.label);
}

function leave(): void {
  const activity = running.pop();
  const ms = activity?.pause() ?? 0;
  running.at(-1)?.resume();
  const label = activity?.label;
  if (observer === undefined || label === undefined) return;
  observer.ended(label);
  if (ms >= LONG_HOLD_MS) observer.held(label, ms);
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
