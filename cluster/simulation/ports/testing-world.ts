import type { VirtualClock } from '../../../src/clock/virtual.ts';
import type { TopologyOptions } from '../../../src/protocol/topology.ts';
import type { MessageFault } from '../faults/kinds.ts';
import { NO_FAULTS } from '../faults/plan.ts';
import { SLOWEST_MS } from '../network.ts';
import type { Observer } from '../observer.ts';
import { World } from '../world.ts';

const SEES_NOTHING: Observer = {
  published() {},
  sent() {},
  read() {},
  deleted() {},
  lost() {},
  acked() {},
  written() {},
  saw() {},
  powerLost() {},
  inserted() {},
};

/** A world in which nobody checks anything, and in which nothing goes wrong by itself. */
export function testWorld({ topology = {} }: { topology?: TopologyOptions } = {}): World {
  return new World({ seed: 1, plan: NO_FAULTS, topology, observer: () => SEES_NOTHING });
}

interface Forced {
  node: string;
  kinds: readonly MessageFault[];
  left: number;
  amount: number;
}

/** Faults that strike a node when a test says so, in place of those that follow from a seed. */
export class ForcedFaults {
  readonly #forced: Forced[] = [];
  readonly #slow = new Map<string, number>();

  constructor({ faults }: World) {
    faults.strikes = (kind, where) => {
      const node = where.slice(0, where.indexOf(' '));
      const id = `${kind}@${where}`;
      if (kind === 'slow') return this.#slow.has(node) ? { id, kind, amount: this.#slow.get(node)! } : undefined;
      const next = this.#forced.find((one) => one.node === node && one.kinds.includes(kind) && one.left > 0);
      if (next === undefined) return undefined;
      next.left -= 1;
      return { id, kind, amount: next.amount };
    };
  }

  /** The next opportunities of one of these kinds at the node strike. */
  strike(
    node: string,
    { kinds, times = 1, amount = 0 }: { kinds: readonly MessageFault[]; times?: number; amount?: number },
  ): void {
    this.#forced.push({ node, kinds, left: times, amount });
  }

  /** From now on everything between the node and others takes so long, in ms. */
  slow(node: string, ms: number): void {
    if (ms > 0) this.#slow.set(node, ms / SLOWEST_MS);
    else this.#slow.delete(node);
  }
}

/** How often somebody looks at the clock, in ms, so that there is always something to come. */
const TICK_MS = 10;

/** Lets virtual time go on by itself, for tests that drive no clock, until the function that this returns is called. */
export function goOn(clock: VirtualClock): () => void {
  const stopTicks = clock.every(TICK_MS, () => {});
  let end!: () => void;
  void clock.run(new Promise<void>((resolve) => (end = resolve)));
  return () => {
    stopTicks();
    end();
  };
}
