import { Worker } from 'node:worker_threads';
import { systemClock } from '../../clock/system.ts';
import { TimeLimit } from '../../clock/time-limit.ts';
import { MillraceError } from '../../errors.ts';
import type { RetryLaterOptions } from '../../flow/retry-later.ts';
import { entryOf } from '../../installation.ts';
import type { BundledReward, FlowSource, FromThread, RewardCall, ThreadData, ToThread } from './protocol.ts';

/** What came of one call. */
export type CustomValue = { value: number } | { problem: string } | { later: RetryLaterOptions };

/** Options of {@link CustomReward}. */
export interface CustomRewardOptions {
  /** Absolute path of the module. */
  module: string;
  /** Time limit of one call, in real milliseconds. */
  timeoutMs: number;
  /** Where the thread finds flow and context. */
  source: FlowSource;
  /** Modules that are run instead of `module` and the flow of `source`. Default: those. */
  bundled?: BundledReward | undefined;
  /** Time limit of loading module, flow and tasks. Default 60_000 ms. */
  startMs?: number;
  /** How long a thread may keep silent when it is asked whether it still answers. Default 1000 ms. */
  pingMs?: number;
}

/** Calls that a thread works on at the same time: functions that wait for a service should not wait for each other. */
const MAX_RUNNING = 16;
/** A call is made so often at most, when others ended its thread. */
const MAX_ATTEMPTS = 3;
/** Memory of a thread's heap: one that needs more is ended, not the process. */
const HEAP_MB = 512;
const START_MS = 60_000;

interface Call {
  id: number;
  about: RewardCall;
  attempts: number;
  /** The thread has begun with it. */
  started: boolean;
  timer: AbortController | undefined;
  settle: (result: CustomValue) => void;
  reject: (error: MillraceError) => void;
}

interface Thread {
  worker: Worker;
  ready: boolean;
  running: Map<number, Call>;
  /** Made while it is being asked whether it still answers. */
  asked: { promise: Promise<boolean>; answer: () => void } | undefined;
}

/**
 * A reward function of the user's in a thread of its own, since nothing else can end a loop that never does. A call that takes
 * longer than its limit has no value. When the thread still answers, that is all; when it does not, one of the calls in it
 * blocks it, but nobody can say which: the thread is ended and a new one makes them again one at a time, so that only the
 * one that takes too long by itself fails.
 */
export class CustomReward {
  readonly #options: CustomRewardOptions;
  readonly #waiting: Call[] = [];
  /** Calls that were in a thread when it was ended; each runs alone. */
  readonly #suspects: Call[] = [];
  #thread: Thread | undefined;
  #nextId = 0;
  #closed = false;

  constructor(options: CustomRewardOptions) {
    this.#options = options;
  }

  /** The function's value for one trajectory. Rejects with `cancelled` when it is closed meanwhile. */
  call(about: RewardCall): Promise<CustomValue> {
    return new Promise((settle, reject) => {
      const call: Call = { id: this.#nextId++, about, attempts: 0, started: false, timer: undefined, settle, reject };
      this.#waiting.push(call);
      this.#pump();
    });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    this.#thread = undefined;
    const left = [...(thread?.running.values() ?? []), ...this.#suspects.splice(0), ...this.#waiting.splice(0)];
    for (const call of left) {
      call.timer?.abort();
      call.reject(new MillraceError('cancelled', 'the reward worker stops'));
    }
    await thread?.worker.terminate();
  }

  #pump(): void {
    if (this.#closed || this.#suspects.length + this.#waiting.length === 0) return;
    this.#thread ??= this.#start();
    const thread = this.#thread;
    if (!thread.ready) return;
    for (;;) {
      // A call that is made again has the thread to itself.
      const alone = this.#suspects.length > 0 || [...thread.running.values()].some(({ attempts }) => attempts > 1);
      if (thread.running.size >= (alone ? 1 : MAX_RUNNING)) return;
      const call = this.#suspects.shift() ?? this.#waiting.shift();
      if (call === undefined) return;
      call.attempts += 1;
      call.started = false;
      thread.running.set(call.id, call);
      this.#limit(thread, call);
      thread.worker.postMessage({ kind: 'call', id: call.id, ...call.about } satisfies ToThread);
    }
  }

  #start(): Thread {
    const { module, source, bundled, startMs = START_MS } = this.#options;
    const worker = startWorker({ module, source, bundled });
    const thread: Thread = { worker, ready: false, running: new Map(), asked: undefined };
    const timer = new AbortController();
    whenPassed(startMs, timer.signal, () => this.#unusable(thread, `${module} did not load within ${startMs} ms`));
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'ready' || message.kind === 'unusable') timer.abort();
      this.#receive(thread, message);
    });
    worker.on('error', (error) => {
      timer.abort();
      this.#ended(thread, `ended its thread: ${MillraceError.from(error).message}`);
    });
    worker.on('exit', (code) => {
      timer.abort();
      this.#ended(thread, `ended its thread with code ${code}`);
    });
    return thread;
  }

  #receive(thread: Thread, message: FromThread): void {
    if (thread !== this.#thread) return;
    if (message.kind === 'ready') {
      thread.ready = true;
      this.#pump();
    } else if (message.kind === 'unusable') {
      this.#unusable(thread, message.message);
    } else if (message.kind === 'pong') {
      thread.asked?.answer();
    } else {
      const call = thread.running.get(message.id);
      // Answers to calls that have failed already concern nobody.
      if (call === undefined) return;
      if (message.kind === 'started') {
        call.started = true;
        this.#limit(thread, call);
      } else {
        this.#settle(thread, call, valueOf(message));
      }
    }
  }

  /** Starts the call's time anew. It also runs before the thread has begun with it: something else may block the thread. */
  #limit(thread: Thread, call: Call): void {
    call.timer?.abort();
    const timer = new AbortController();
    call.timer = timer;
    whenPassed(this.#options.timeoutMs, timer.signal, () => void this.#late(thread, call));
  }

  async #late(thread: Thread, call: Call): Promise<void> {
    const answers = await this.#answers(thread);
    if (thread !== this.#thread || !thread.running.has(call.id)) return;
    const problem = `did not answer within ${this.#options.timeoutMs} ms`;
    if (!answers) this.#abandon(thread, problem);
    else if (call.started) this.#settle(thread, call, { problem });
    else this.#limit(thread, call);
  }

  /** Whether the thread's event loop turns. */
  #answers(thread: Thread): Promise<boolean> {
    if (thread.asked === undefined) {
      let answer = (): void => {};
      const timer = new AbortController();
      const pong = new Promise<boolean>((resolve) => (answer = () => resolve(true)));
      const late = newLimit(this.#options.pingMs ?? 1000)
        .passed(timer.signal)
        .then(() => false);
      const promise = Promise.race([pong, late]).finally(() => {
        timer.abort();
        thread.asked = undefined;
      });
      thread.asked = { promise, answer };
      thread.worker.postMessage({ kind: 'ping' } satisfies ToThread);
    }
    return thread.asked.promise;
  }

  #settle(thread: Thread, call: Call, result: CustomValue): void {
    call.timer?.abort();
    thread.running.delete(call.id);
    call.settle(result);
    this.#pump();
  }

  /** Ends a thread; the only call in it is to blame, several are made again. */
  #abandon(thread: Thread, problem: string): void {
    this.#thread = undefined;
    const calls = [...thread.running.values()];
    thread.running.clear();
    for (const call of calls) {
      call.timer?.abort();
      if ((calls.length === 1 && call.started) || call.attempts >= MAX_ATTEMPTS) call.settle({ problem });
      else this.#suspects.push(call);
    }
    void thread.worker.terminate();
    this.#pump();
  }

  #ended(thread: Thread, problem: string): void {
    if (thread !== this.#thread) return;
    if (thread.ready) this.#abandon(thread, problem);
    else this.#unusable(thread, problem);
  }

  /** No call can be made at all. */
  #unusable(thread: Thread, problem: string): void {
    if (thread !== this.#thread) return;
    this.#thread = undefined;
    for (const call of [...this.#suspects.splice(0), ...this.#waiting.splice(0)]) call.settle({ problem });
    void thread.worker.terminate();
  }
}

/**
 * Loads a reward module in a thread of its own and ends it again.
 * @throws MillraceError not_found or invalid_argument when it does not exist, cannot be imported, exports no function, or
 *   does not load within `startMs` (default 30_000).
 */
export async function checkRewardModule(
  module: string,
  { startMs = START_MS / 2, bundled }: { startMs?: number; bundled?: BundledReward | undefined } = {},
): Promise<void> {
  const worker = startWorker({ module, source: undefined, bundled });
  const timer = new AbortController();
  try {
    const problem = await new Promise<MillraceError | undefined>((resolve) => {
      const unusable = (message: string, code: 'invalid_argument' | 'not_found' = 'invalid_argument'): void =>
        resolve(new MillraceError(code, message));
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') resolve(undefined);
        if (message.kind === 'unusable') unusable(message.message, message.code);
      });
      worker.on('error', (error) => unusable(`${module} cannot be imported: ${MillraceError.from(error).message}`));
      worker.on('exit', (code) => unusable(`${module} ended its thread with code ${code} while it was imported`));
      whenPassed(startMs, timer.signal, () => unusable(`${module} did not load within ${startMs} ms`));
    });
    if (problem !== undefined) throw problem;
  } finally {
    timer.abort();
    await worker.terminate();
  }
}

/** Threads are not to blame for what holds up the event loop here: their messages wait, too. */
function newLimit(limitMs: number): TimeLimit {
  return new TimeLimit(limitMs, { clock: systemClock });
}

function whenPassed(limitMs: number, signal: AbortSignal, act: () => void): void {
  void newLimit(limitMs)
    .passed(signal)
    .then((passed) => passed && act());
}

const { file, nodeArguments } = entryOf(new URL('./thread-main.ts', import.meta.url));
/** What a thread begins with; where it has to load TypeScript, what can do that. */
const THREAD = nodeArguments.length === 0 ? file : new URL('./thread.mjs', import.meta.url);

function startWorker(data: ThreadData): Worker {
  const worker = new Worker(THREAD, {
    workerData: data,
    // The process's own loaders are for the process; the entry registers what it needs.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  worker.unref();
  return worker;
}

function valueOf({ value, problem, later }: Extract<FromThread, { kind: 'done' }>): CustomValue {
  if (later !== undefined) return { later };
  if (problem !== undefined) return { problem };
  if (typeof value === 'number' && Number.isFinite(Math.fround(value))) return { value };
  return { problem: `must return a finite number, got ${String(value)}` };
}
