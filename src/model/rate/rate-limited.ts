import { ModelError } from '../model-error.ts';
import type { ModelRequest } from '../model.ts';
import { aroundCall, type ModelWrapper } from '../wrap/around.ts';
import type { RateLimiter } from './rate-limiter.ts';

/** Bytes of a token, about: what is taken before a call is corrected after it. */
const BYTES_PER_TOKEN = 4;

/**
 * Keeps to the limits of a provider. Each call takes the tokens that it may use, and gives back what it did not. A provider that says for how long it
 * wants no calls is heard by all.
 */
export function rateLimited(limiter: RateLimiter): ModelWrapper {
  return (model) =>
    aroundCall(model, async ({ request, options }) => {
      const taken = aboutTokens(request);
      await limiter.take(taken, options.signal);
      return {
        answered(result) {
          const { usage } = result;
          if (usage !== undefined) limiter.correct(usage.tokensIn + usage.tokensOut - taken);
          return result;
        },
        failed(thrown) {
          if (!(thrown instanceof ModelError)) return;
          if (!thrown.maybeBilled) limiter.correct(-taken);
          if (thrown.problem === 'MODEL_RATE_LIMITED' && thrown.retryAfterMs > 0) limiter.hold(thrown.retryAfterMs);
        },
      };
    });
}

function aboutTokens({ messages, tools = [], maxTokens = 1_024 }: ModelRequest): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify([messages, tools])) / BYTES_PER_TOKEN) + maxTokens;
}
