import { bulkhead, BulkheadRejectedError } from 'cockatiel';
import { throwIfStopped } from '../http/post.ts';
import { ModelError } from '../model-error.ts';
import { aroundCall, type ModelWrapper } from './around.ts';

/** How many calls there are at a time. */
export interface ConcurrencyOptions {
  /** Calls of this process at a time, at least 1. */
  calls: number;
  /** Calls that may wait for their turn; further ones fail at once (`MODEL_OVERLOADED`). Default: any number. */
  waiting?: number | undefined;
}

/** Bounds the calls at a time; a stream counts until its end. One wrapper may be put around several models: they then share the bound. */
export function concurrent({ calls, waiting = Infinity }: ConcurrencyOptions): ModelWrapper {
  const slots = bulkhead(calls, waiting);
  return (model) =>
    aroundCall(model, async ({ options: { signal } }) => {
      const free = await slotOf(slots, model.name);
      try {
        throwIfStopped(signal, `model '${model.name}'`);
      } catch (thrown) {
        free();
        throw thrown;
      }
      return {
        answered(result) {
          free();
          return result;
        },
        failed: free,
      };
    });
}

/** Resolves with what frees the slot. */
function slotOf(slots: ReturnType<typeof bulkhead>, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    slots
      .execute(() => new Promise<void>((free) => resolve(free)))
      .catch((thrown: unknown) => {
        if (!(thrown instanceof BulkheadRejectedError)) return reject(thrown as Error);
        reject(new ModelError('MODEL_OVERLOADED', `model '${name}': too many calls wait for their turn`, { maybeBilled: false }));
      });
  });
}
