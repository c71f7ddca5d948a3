import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen } from 'cockatiel';
import { ModelError, type ModelProblem } from '../model-error.ts';
import { aroundOpening, type ModelWrapper } from './around.ts';

/** When a provider is left alone. */
export interface BreakerOptions {
  /** Failures in a row that open the circuit, at least 1. Default 5. */
  failures?: number | undefined;
  /** How long it stays open, in milliseconds; then one call tries. Default 10_000. */
  openMs?: number | undefined;
}

/** What says that the provider is in trouble; a rate limit or a request that it does not take does not. */
const TROUBLE: ReadonlySet<ModelProblem> = new Set([
  'MODEL_OVERLOADED',
  'MODEL_FAILED',
  'MODEL_UNREACHABLE',
  'MODEL_TIMEOUT',
  'MODEL_ANSWER_MALFORMED',
  'MODEL_STREAM_CUT',
]);

/**
 * A circuit breaker: while it is open calls fail at once (`MODEL_OVERLOADED`), without being made. One wrapper may be put around several models of
 * a provider: they then share the circuit.
 */
export function breaking({ failures = 5, openMs = 10_000 }: BreakerOptions): ModelWrapper {
  const isTrouble = (thrown: Error): boolean => thrown instanceof ModelError && TROUBLE.has(thrown.problem);
  const policy = circuitBreaker(handleWhen(isTrouble), {
    halfOpenAfter: openMs,
    breaker: new ConsecutiveBreaker(failures),
  });
  return (model) =>
    aroundOpening(model, async (attempt, open) => {
      try {
        return await policy.execute(() => open(attempt));
      } catch (thrown) {
        if (!(thrown instanceof BrokenCircuitError)) throw thrown;
        throw new ModelError(
          'MODEL_OVERLOADED',
          `model '${model.name}': its last ${failures} calls failed, so none is made for ${openMs} ms`,
          { retryAfterMs: openMs, maybeBilled: false },
        );
      }
    });
}
