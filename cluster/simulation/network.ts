import type { VirtualClock } from '../../src/clock/virtual.ts';
import type { Random } from '../../src/random/random.ts';
import type { FaultInjector } from './faults/injector.ts';

/** Mean of what a message takes, in ms. */
const MEAN_MS = 1;
/** What a slow one takes at most. */
export const SLOWEST_MS = 8_000;

/** What {@link Network} works with. */
export interface NetworkOptions {
  clock: VirtualClock;
  random: Random;
  faults: FaultInjector;
}

/**
 * The network between the nodes, NATS and the store. What goes one way over one connection keeps its order, as with TCP; between
 * connections nothing does. Across a cut nothing arrives.
 */
export class Network {
  readonly #options: NetworkOptions;
  /** When the last message of each connection and direction arrives. */
  readonly #last = new Map<string, number>();
  /** How many faults cut each pair. */
  readonly #cuts = new Map<string, number>();
  readonly #healed = new Set<() => void>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Two parties cannot reach each other; `*` stands for everybody. */
  cut(a: string, b: string): void {
    this.#cuts.set(pair(a, b), (this.#cuts.get(pair(a, b)) ?? 0) + 1);
  }

  heal(a: string, b: string): void {
    const left = (this.#cuts.get(pair(a, b)) ?? 1) - 1;
    if (left > 0) this.#cuts.set(pair(a, b), left);
    else this.#cuts.delete(pair(a, b));
    for (const healed of [...this.#healed]) healed();
  }

  isCut(a: string, b: string): boolean {
    if (this.#cuts.size === 0) return false;
    return this.#cuts.has(pair(a, b)) || this.#cuts.has(pair(a, '*')) || this.#cuts.has(pair(b, '*'));
  }

  /**
   * One message on its way; resolves with whether it arrived.
   * @param channel - of the connection: messages of one channel and direction keep their order
   * @param what - what it is, for faults that strike it
   */
  trip(from: string, to: string, { channel, what }: { channel: string; what: string }): Promise<boolean> {
    const { clock, random, faults } = this.#options;
    if (this.isCut(from, to)) return Promise.resolve(false);
    const slow = faults.strikes('slow', what);
    const takesMs = 0.1 - MEAN_MS * Math.log(1 - random.uniform()) + (slow ? slow.amount * SLOWEST_MS : 0);
    const key = `${channel}/${to}`;
    const now = clock.monotonic();
    const at = Math.max(now + takesMs, this.#last.get(key) ?? 0);
    this.#last.set(key, at);
    return new Promise((resolve) => {
      clock.after(at - now, () => resolve(!this.isCut(from, to)));
    });
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
