import { MillraceError } from '../../errors.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Bus, BusMessage } from '../bus.ts';

/** A connection whose wire can be cut, as when its process is killed. */
export interface TestConnection {
  bus: Bus;
  /** From now on nothing passes. The bus is not told. */
  readonly cut: () => void;
}

/** What the conformance suites need of an implementation. */
export interface BusHarness {
  clock: Clock;
  /** A new connection to the same server; the topology exists. Closed by `stop`. */
  connect(): Promise<TestConnection>;
  /** Deletes a stream, or a bucket, as an administrator of the server may. */
  deleteStream(name: string): Promise<void>;
  deleteBucket(name: string): Promise<void>;
  /** Runs the body of a test, moving virtual time on where there is such a thing. */
  run<T>(work: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/** The topology that a harness must use: short lives, and a small ROLLOUTS to fill. */
export const CONFORMANCE_TOPOLOGY = { leaseTtlMs: 1000, nodeTtlMs: 1000, maxMessages: { ROLLOUTS: 40 } } as const;

/** Bound of every wait in the suites, in ms of the harness's clock. */
const WAIT_MS = 15_000;

/** Waits for a promise within the bound. */
export async function within<T>(clock: Clock, work: Promise<T>, what: string): Promise<T> {
  const timeout = new AbortController();
  const late = clock.sleep(WAIT_MS, timeout.signal).then(
    () => {
      throw new MillraceError('deadline_exceeded', `still waiting for ${what}`);
    },
    () => undefined as never,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    timeout.abort();
  }
}

/** Collects what a handler is given and lets a test wait for it. */
export class Collected<T> {
  readonly items: T[] = [];
  private readonly clock: Clock;
  private waiting: { ready: () => boolean; resolve: () => void }[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  readonly add = (item: T): void => {
    this.items.push(item);
    this.waiting = this.waiting.filter((w) => {
      if (w.ready()) w.resolve();
      return !w.ready();
    });
  };

  /** Resolves with all items when there are `count` of them. */
  async count(count: number): Promise<T[]> {
    return this.until(() => this.items.length >= count, `${count} items`);
  }

  /** Resolves with all items when the condition holds; looked at after every item. */
  async until(ready: () => boolean, what: string): Promise<T[]> {
    if (!ready()) {
      const reached = new Promise<void>((resolve) => this.waiting.push({ ready, resolve }));
      await within(this.clock, reached, `${what}, after ${this.items.length} items`);
    }
    return this.items;
  }
}

/** Tries until the check passes: for what a server does in the background. */
export async function eventually(clock: Clock, check: () => Promise<boolean>, what: string): Promise<void> {
  const end = clock.monotonic() + WAIT_MS;
  while (!(await check())) {
    if (clock.monotonic() > end) throw new MillraceError('deadline_exceeded', `still waiting for ${what}`);
    await clock.sleep(20);
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);
export const messageText = (message: BusMessage): string => text(message.data);

/** The error a promise rejects with. */
export async function failure(work: Promise<unknown>): Promise<MillraceError> {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof MillraceError) return thrown;
    throw thrown;
  }
  throw new Error('expected a rejection');
}

/** Everything that comes, in order. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
