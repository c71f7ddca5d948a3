import type { Clock } from '../../clock/clock.ts';
import { ModelError } from '../model-error.ts';
import type { ModelRequest } from '../model.ts';
import type { ModelWrapper } from './around.ts';

/** Longest times of a call, in milliseconds. */
export interface TimeLimits {
  /** Of a whole answer. Default: no limit. */
  totalMs?: number | undefined;
  /** Between two events of a stream, and before the first. Default: no limit. */
  silentMs?: number | undefined;
}

/** Ends calls that take too long (`MODEL_TIMEOUT`), whether or not the model listens to its signal. */
export function timeLimited({ totalMs = Infinity, silentMs = Infinity }: TimeLimits, clock: Clock): ModelWrapper {
  return (model) => {
    const watch = (outer: AbortSignal | undefined): Watch => new Watch(model.name, clock, outer);
    return {
      name: model.name,
      async generate(request: ModelRequest, { signal } = {}) {
        const limit = watch(signal);
        limit.within(totalMs, `no answer within ${totalMs} ms`);
        return limit.race(model.generate(request, { signal: limit.signal })).finally(() => limit.end());
      },
      async *stream(request, { signal } = {}) {
        const limit = watch(signal);
        limit.within(totalMs, `no whole answer within ${totalMs} ms`);
        const events = model.stream(request, { signal: limit.signal })[Symbol.asyncIterator]();
        try {
          for (;;) {
            const lift = limit.within(silentMs, `no event of the stream for ${silentMs} ms`);
            const next = await limit.race(events.next());
            lift();
            if (next.done) return;
            yield next.value;
          }
        } finally {
          limit.end();
          // A model that hangs is not waited for.
          void Promise.resolve(events.return?.()).catch(() => undefined);
        }
      },
    };
  };
}

/** The times of one call. */
class Watch {
  readonly signal: AbortSignal;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #late = new AbortController();
  readonly #timers = new Set<() => void>();

  constructor(name: string, clock: Clock, outer: AbortSignal | undefined) {
    this.#name = name;
    this.#clock = clock;
    this.signal = outer === undefined ? this.#late.signal : AbortSignal.any([outer, this.#late.signal]);
  }

  /** Ends the call after `ms`, unless what it returns is called before. */
  within(ms: number, problem: string): () => void {
    if (!Number.isFinite(ms)) return () => undefined;
    const cancel = this.#clock.after(ms, () =>
      this.#late.abort(new ModelError('MODEL_TIMEOUT', `model '${this.#name}': ${problem}`)),
    );
    this.#timers.add(cancel);
    return () => {
      cancel();
      this.#timers.delete(cancel);
    };
  }

  /** Settles as `work` does, or rejects when the time is over. A call that is stopped is left to the model. */
  race<R>(work: Promise<R>): Promise<R> {
    const late = this.#late.signal;
    return new Promise<R>((resolve, reject) => {
      const onLate = (): void => reject(late.reason as Error);
      late.addEventListener('abort', onLate, { once: true });
      if (late.aborted) onLate();
      work.then(resolve, reject).finally(() => late.removeEventListener('abort', onLate));
    });
  }

  end(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
