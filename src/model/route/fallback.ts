import type { MillraceError } from '../../errors.ts';
import { ModelError } from '../model-error.ts';
import type { Model } from '../model.ts';
import { aroundOpening } from '../wrap/around.ts';

/**
 * Asks the next model when one fails, in their order. A request that a model refuses, a call that is stopped and a budget that is spent are no
 * reason to ask another. When all fail the error of the first is thrown, and names the others.
 *
 * @param models - at least one
 */
export function fallingBack(models: readonly [Model, ...Model[]], name = models[0].name): Model {
  return aroundOpening(
    models[0],
    async (attempt, open) => {
      const failures: MillraceError[] = [];
      for (const model of models) {
        try {
          return await open(attempt, model);
        } catch (thrown) {
          const isOurs = thrown instanceof ModelError && thrown.problem !== 'MODEL_REQUEST_REFUSED';
          if (!isOurs || attempt.options.signal?.aborted) throw thrown;
          failures.push(thrown);
        }
      }
      throw together(name, failures as [ModelError, ...ModelError[]]);
    },
    name,
  );
}

function together(name: string, failures: readonly [ModelError, ...ModelError[]]): ModelError {
  const [first, ...others] = failures;
  if (others.length === 0) return first;
  const waits = failures.filter(({ retryable }) => retryable).map(({ retryAfterMs }) => retryAfterMs);
  return new ModelError(
    first.problem,
    `'${name}': all of its models failed: ${failures.map(({ message }) => message).join('; ')}`,
    {
      cause: first,
      retryAfterMs: waits.length === 0 ? 0 : Math.min(...waits),
      maybeBilled: failures.some(({ maybeBilled }) => maybeBilled),
    },
  );
}
