import type { KeyValue } from '../../bus/bus.ts';
import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import type { Random } from '../../random/random.ts';
import { UNUSED, type RateState } from './rate-state.ts';

/** Where the state of rates is, for all who share them. */
export interface RateStore {
  /** Replaces the state of `key` by what `change` makes of it, which is called again where another has changed it meanwhile. */
  change<R>(key: string, change: (state: RateState) => { state: RateState; result: R }): Promise<R>;
}

/** States in the memory of this process. */
export function memoryRates(): RateStore {
  const states = new Map<string, RateState>();
  return {
    async change(key, change) {
      const { state, result } = change(states.get(key) ?? UNUSED);
      states.set(key, state);
      return result;
    },
  };
}

const MAX_ATTEMPTS = 50;
/** Longest pause after another was faster, in milliseconds. */
const PAUSE_MS = 20;

/** States in a bucket, changed by compare-and-set: shared by a whole cluster. */
export function kvRates(kv: KeyValue, { clock, random }: { clock: Clock; random: Random }): RateStore {
  return {
    async change<R>(key: string, change: (state: RateState) => { state: RateState; result: R }): Promise<R> {
      for (let attempt = 1; ; attempt++) {
        try {
          const entry = await kv.get(keyOf(key));
          const { state, result } = change(entry === undefined ? UNUSED : stateIn(entry.value));
          const value = new TextEncoder().encode(JSON.stringify(state));
          if (entry === undefined) await kv.create(keyOf(key), value);
          else await kv.update(keyOf(key), value, entry.revision);
          return result;
        } catch (thrown) {
          const error = MillraceError.from(thrown);
          const again = error.code === 'aborted' || error.code === 'already_exists' || error.retryable;
          if (!again || attempt === MAX_ATTEMPTS) throw error;
          await clock.sleep(PAUSE_MS * random.uniform());
        }
      }
    },
  };
}

/** Keys admit few characters, and names are people's words: each is written as the digits of its UTF-8. */
function keyOf(name: string): string {
  return `m${Buffer.from(name).toString('hex')}`;
}

/** Reads a state. @throws MillraceError `data_loss` where it is none */
export function decodeRate(bytes: Uint8Array): RateState {
  try {
    const { requestsAt, tokensAt } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<RateState>;
    if (Number.isFinite(requestsAt) && Number.isFinite(tokensAt)) return { requestsAt: requestsAt!, tokensAt: tokensAt! };
  } catch {
    // Said below.
  }
  throw new MillraceError('data_loss', 'it is not the state of a rate (truncated, or something else)');
}

/** A state that cannot be read is one of nothing used: the provider says soon enough that it was not. */
function stateIn(bytes: Uint8Array): RateState {
  try {
    return decodeRate(bytes);
  } catch {
    return UNUSED;
  }
}
