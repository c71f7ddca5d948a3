import { seedFrom } from '../../../src/random/seeded.ts';
import type { FaultPlan } from './plan.ts';
import type { MessageFault } from './kinds.ts';

/** A fault that struck. */
export interface Struck {
  /** `<kind>@<where>#<how often it had the opportunity there before>`. */
  id: string;
  kind: MessageFault;
  /** A number in [0, 1) of this fault alone, for how long or how much. */
  amount: number;
}

/** Options of {@link FaultInjector}. */
export interface InjectorOptions {
  seed: number;
  plan: FaultPlan;
  /** Virtual milliseconds since the run began. */
  now: () => number;
  /** Faults that may strike, by id. Default: all. For shrinking. */
  only?: ReadonlySet<string> | undefined;
  onStruck?: (fault: { id: string; kind: string }) => void;
}

/**
 * Decides at each opportunity whether a fault strikes there. The decision follows from the seed and from what the opportunity is, not
 * from how many came before: with one fault taken away all others strike where they did, so that a failing run can be shrunk.
 */
export class FaultInjector {
  readonly #options: InjectorOptions;
  readonly #opportunities = new Map<string, number>();
  /** How often each kind struck. */
  readonly counts = new Map<string, number>();
  /** Ids of the faults that struck, in order. */
  readonly struck: string[] = [];

  constructor(options: InjectorOptions) {
    this.#options = options;
  }

  /** Whether faults may still strike. */
  get isActive(): boolean {
    return this.#options.now() < this.#options.plan.endsAt;
  }

  /**
   * The fault, where one of this kind strikes here.
   * @param where - what is under way, e.g. `rollout-1 publishes group.job train-3`
   */
  strikes(kind: MessageFault, where: string): Struck | undefined {
    const rate = this.#options.plan.rates[kind];
    if (rate === undefined || !this.isActive) return undefined;
    const place = `${kind}@${where}`;
    const before = this.#opportunities.get(place) ?? 0;
    this.#opportunities.set(place, before + 1);
    const id = `${place}#${before}`;
    if (seedFrom(this.#options.seed, id) / 2 ** 32 >= rate) return undefined;
    if (this.#options.only !== undefined && !this.#options.only.has(id)) return undefined;
    this.count(kind, id);
    const fault = { id, kind, amount: seedFrom(this.#options.seed, id, 'amount') / 2 ** 32 };
    this.#options.onStruck?.(fault);
    return fault;
  }

  /** Seconds that the node's clock counts in one second. One that is wrong is a fault: `clock-drift@<node>`. */
  clockRate(node: string): number {
    const { plan, only, onStruck } = this.#options;
    const rate = plan.clockRates[node];
    const id = `clock-drift@${node}`;
    if (rate === undefined || (only !== undefined && !only.has(id))) return 1;
    if (!this.struck.includes(id)) {
      this.count('clock-drift', id);
      onStruck?.({ id, kind: 'clock-drift' });
    }
    return rate;
  }

  /** As {@link FaultInjector.strikes}, with the same answer each time it is asked about this place. */
  strikesAlways(kind: MessageFault, place: string): Struck | undefined {
    this.#opportunities.delete(`${kind}@${place}`);
    return this.strikes(kind, place);
  }

  /** Counts a fault that struck: at an opportunity, or at a time of its own. */
  count(kind: string, id: string): void {
    this.struck.push(id);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
