import { createHash } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import type { Model, ModelEvent, ModelRequest, ModelResult } from '../model.ts';
import type { ModelWrapper } from './around.ts';

/** Where answers are kept, by a digest of what was asked. */
export interface ModelCache {
  get(key: string): Promise<ModelResult | undefined> | ModelResult | undefined;
  set(key: string, result: ModelResult): Promise<void> | void;
}

/** Options of {@link cached}. */
export interface CacheOptions {
  store: ModelCache;
  /** `greedy`: only requests at temperature 0, which ask for the same answer each time. `all`: all of them. Default `greedy`. */
  which?: 'greedy' | 'all' | undefined;
}

/**
 * Answers a request that was answered before with the same answer, which costs nothing: it has `cached: true`, no cost, and no latency to speak
 * of. Answers that were withheld are not kept.
 */
export function cached({ store, which = 'greedy' }: CacheOptions): ModelWrapper {
  return (model) => {
    const keyOf = (request: ModelRequest): string | undefined =>
      which === 'all' || request.temperature === 0 ? contentKey(model.name, request) : undefined;
    const keep = async (key: string | undefined, result: ModelResult): Promise<void> => {
      if (key !== undefined && result.finish !== 'filtered') await store.set(key, result);
    };
    const kept = async (key: string | undefined): Promise<ModelResult | undefined> => {
      const found = key === undefined ? undefined : await store.get(key);
      return found && { ...found, cached: true, microDollars: 0, latencyMs: 0 };
    };
    return {
      name: model.name,
      async generate(request, options) {
        const key = keyOf(request);
        const found = await kept(key);
        if (found !== undefined) return found;
        const result = await model.generate(request, options);
        await keep(key, result);
        return result;
      },
      async *stream(request, options) {
        const key = keyOf(request);
        const found = await kept(key);
        if (found !== undefined) {
          yield* eventsOf(found);
          return;
        }
        for await (const event of model.stream(request, options)) {
          if (event.type === 'end') await keep(key, event.result);
          yield event;
        }
      },
    };
  };
}

/** An answer that is there as the events of a stream. */
function* eventsOf(result: ModelResult): Generator<ModelEvent> {
  if (result.text !== '') yield { type: 'text', text: result.text };
  for (const [index, call] of result.calls.entries()) yield { type: 'call', index, ...call };
  yield { type: 'end', result };
}

/** What a request asks of a model, whatever the order of its fields. */
function contentKey(model: string, request: ModelRequest): string {
  const text = JSON.stringify([model, request], (_, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
  return createHash('sha256').update(text).digest('hex');
}

/** Options of {@link memoryCache}. */
export interface MemoryCacheOptions {
  /** Answers that are kept; those that were not asked for longest go first. Default 1_000. */
  entries?: number;
  /** How long one is kept, in milliseconds. Default: for ever. */
  ttlMs?: number;
  clock: Clock;
}

/** Answers in the memory of this process. */
export function memoryCache({ entries = 1_000, ttlMs = Infinity, clock }: MemoryCacheOptions): ModelCache {
  // In the order in which they were last asked for.
  const kept = new Map<string, { result: ModelResult; until: number }>();
  return {
    get(key) {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      kept.delete(key);
      if (found.until <= clock.monotonic()) return undefined;
      kept.set(key, found);
      return found.result;
    },
    set(key, result) {
      kept.delete(key);
      kept.set(key, { result, until: clock.monotonic() + ttlMs });
      if (kept.size > entries) kept.delete(kept.keys().next().value!);
    },
  };
}

/** @internal For other wrappers: a model whose streams are its whole answers. */
export function wholeAnswers(name: string, generate: Model['generate']): Model {
  return {
    name,
    generate,
    async *stream(request, options) {
      yield* eventsOf(await generate(request, options));
    },
  };
}
