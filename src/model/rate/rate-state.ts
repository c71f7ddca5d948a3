/** Rates as a pure function of time: how far ahead of the clock each is used up. */

/** What a provider allows in a minute, in the whole cluster. */
export interface RateLimits {
  /** Above 0. Default: no limit. */
  requestsPerMinute?: number | undefined;
  /** Read and written, above 0. Default: no limit. */
  tokensPerMinute?: number | undefined;
}

/** Until when each rate is used up, in Unix milliseconds. */
export interface RateState {
  requestsAt: number;
  tokensAt: number;
}

/** Nothing has been used. */
export const UNUSED: RateState = { requestsAt: 0, tokensAt: 0 };

const MINUTE_MS = 60_000;
/** How far a rate may be used ahead, in milliseconds: 2 % of a minute, so that a minute never has more than that too much. */
const AHEAD_MS = 1_200;

/** The state after a call of so many tokens, and when it may start. Calls start in the order in which they are taken. */
export function taking(
  state: RateState,
  { requestsPerMinute, tokensPerMinute }: RateLimits,
  { tokens, now }: { tokens: number; now: number },
): { state: RateState; startAt: number } {
  const request = requestsPerMinute === undefined ? 0 : MINUTE_MS / requestsPerMinute;
  const text = tokensPerMinute === undefined ? 0 : (tokens * MINUTE_MS) / tokensPerMinute;
  // Whole requests only: of a slow rate not one is made ahead.
  const requestsAhead = request === 0 ? 0 : Math.floor(AHEAD_MS / request) * request;
  const startAt = Math.max(
    now,
    requestsPerMinute === undefined ? 0 : state.requestsAt - requestsAhead,
    tokensPerMinute === undefined ? 0 : state.tokensAt - AHEAD_MS,
  );
  return {
    state: { requestsAt: Math.max(state.requestsAt, now) + request, tokensAt: Math.max(state.tokensAt, now) + text },
    startAt,
  };
}

/** The state when calls have used so many tokens more than was taken for them; less where it is below 0. */
export function correcting(state: RateState, { tokensPerMinute }: RateLimits, tokens: number): RateState {
  if (tokensPerMinute === undefined || tokens === 0) return state;
  return { ...state, tokensAt: state.tokensAt + (tokens * MINUTE_MS) / tokensPerMinute };
}

/** The state when nothing may start before `until`: the provider has said so. */
export function holding({ requestsAt, tokensAt }: RateState, until: number): RateState {
  return { requestsAt: Math.max(requestsAt, until), tokensAt: Math.max(tokensAt, until) };
}
