/** What wrappers of models are made of, so that each is written once for calls and streams. */
import type { CallOptions, Model, ModelEvent, ModelRequest, ModelResult } from '../model.ts';

/** A wrapper: makes a model of a model. Wrappers are put around each other. */
export type ModelWrapper = (model: Model) => Model;

/** One call on its way. */
export interface Attempt {
  request: ModelRequest;
  options: CallOptions;
}

/**
 * Makes a call, with `model` or another one. `open` resolves when the model has answered: as a whole, or with the first event of a stream. What
 * fails later in a stream is not seen here: its beginning has been passed on.
 */
export type AroundOpening = <R>(attempt: Attempt, open: (attempt: Attempt, model?: Model) => Promise<R>) => Promise<R>;

/** A model whose calls are made by `around`. */
export function aroundOpening(model: Model, around: AroundOpening, name = model.name): Model {
  return {
    name,
    generate: (request, options = {}) =>
      around({ request, options }, async (attempt, by = model) => by.generate(attempt.request, attempt.options)),
    async *stream(request, options = {}) {
      const { first, events } = await around({ request, options }, async (attempt, by = model) => begin(by, attempt));
      try {
        for (let next = first; !next.done; next = await events.next()) yield next.value;
      } finally {
        await events.return?.();
      }
    },
  };
}

interface BegunStream {
  first: IteratorResult<ModelEvent>;
  events: AsyncIterator<ModelEvent>;
}

async function begin(model: Model, { request, options }: Attempt): Promise<BegunStream> {
  const events = model.stream(request, options)[Symbol.asyncIterator]();
  return { first: await events.next(), events };
}

/** What was taken for a call, and is given back after it. Exactly one of the two is called, once. */
export interface CallLease {
  /** The request to make in place of the one that was asked. Default: that one. */
  request?: ModelRequest;
  /** The call has been answered. Returns the result, with what is known of it now. */
  answered(result: ModelResult): ModelResult;
  /** It failed, was stopped, or its stream was left before the end. */
  failed(thrown: unknown): void;
}

/** A model that takes something before each call and settles it after. A failure to take it is that of the call. */
export function aroundCall(model: Model, take: (attempt: Attempt) => CallLease | Promise<CallLease>): Model {
  return {
    name: model.name,
    async generate(request, options = {}) {
      const lease = await take({ request, options });
      let result: ModelResult;
      try {
        result = await model.generate(lease.request ?? request, options);
      } catch (thrown) {
        lease.failed(thrown);
        throw thrown;
      }
      return lease.answered(result);
    },
    async *stream(request, options = {}) {
      const lease = await take({ request, options });
      let isSettled = false;
      try {
        for await (const event of model.stream(lease.request ?? request, options)) {
          if (event.type !== 'end') {
            yield event;
            continue;
          }
          isSettled = true;
          yield { type: 'end', result: lease.answered(event.result) };
        }
      } catch (thrown) {
        if (!isSettled) lease.failed(thrown);
        isSettled = true;
        throw thrown;
      } finally {
        if (!isSettled) lease.failed(undefined);
      }
    },
  };
}

/** Puts wrappers around a model; the first is the innermost. */
export function wrapped(model: Model, ...wrappers: readonly (ModelWrapper | undefined)[]): Model {
  return wrappers.reduce<Model>((inner, wrap) => (wrap === undefined ? inner : wrap(inner)), model);
}
