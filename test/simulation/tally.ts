import { EventHash } from '../../cluster/simulation/event-hash.ts';
import type { SeedResult } from './farm.ts';

/** A share of inconclusive runs above which many seeds prove little. */
const MOST_INCONCLUSIVE = 0.01;
/** From so many seeds on, each state must have been seen. */
const SEEDS_FOR_EVERY_STATE = 2_000;

/** A seed that failed. */
export interface Failure {
  seed: number;
  invariant: string;
  reason: string;
}

/** What many runs came to. */
export class Tally {
  passed = 0;
  readonly failed: Failure[] = [];
  readonly inconclusive: { seed: number; reason: string }[] = [];
  events = 0;
  /** Virtual seconds of all runs. */
  seconds = 0;
  /** By kind of fault: how often it struck, and in how many seeds. */
  readonly faults = new Map<string, { struck: number; seeds: number }>();
  /** In how many seeds each state was seen. */
  readonly seen = new Map<string, number>();
  /** Hash of the events of each seed. */
  readonly hashes = new Map<number, string>();
  #hash = 0n;

  /** Seeds so far. */
  get seeds(): number {
    return this.passed + this.failed.length + this.inconclusive.length;
  }

  /** Faults that struck, of all kinds. */
  get struck(): number {
    return [...this.faults.values()].reduce((sum, { struck }) => sum + struck, 0);
  }

  /** Hash of the hashes of all seeds, in whatever order they came; 16 hex digits. */
  get hash(): string {
    return this.#hash.toString(16).padStart(16, '0');
  }

  add({ seed, outcome, invariant = 'unknown', reason = '', hash, events, seconds, faults, seen }: SeedResult): void {
    if (outcome === 'passed') this.passed += 1;
    else if (outcome === 'failed') this.failed.push({ seed, invariant, reason });
    else this.inconclusive.push({ seed, reason });
    this.events += events;
    this.seconds += seconds;
    for (const [kind, count] of Object.entries(faults)) {
      const before = this.faults.get(kind) ?? { struck: 0, seeds: 0 };
      this.faults.set(kind, { struck: before.struck + count, seeds: before.seeds + 1 });
    }
    for (const state of seen) this.seen.set(state, (this.seen.get(state) ?? 0) + 1);
    this.hashes.set(seed, hash);
    const own = new EventHash();
    own.add(seed);
    own.add(hash);
    this.#hash = BigInt.asUintN(64, this.#hash + BigInt(`0x${own.digest()}`));
  }

  /** Those of `states` that no seed reached. */
  neverSeen(states: readonly string[]): string[] {
    return states.filter((state) => !this.seen.has(state));
  }

  /**
   * Why the runs as a whole failed, one line each; empty when nothing did.
   *
   * @param states - that many seeds must reach
   */
  problems(states: readonly string[]): string[] {
    const problems: string[] = [];
    if (this.failed.length > 0) problems.push(`${this.failed.length} of ${this.seeds} seeds failed`);
    if (this.inconclusive.length > this.seeds * MOST_INCONCLUSIVE)
      problems.push(
        `${this.inconclusive.length} of ${this.seeds} seeds are inconclusive, more than ${MOST_INCONCLUSIVE * 100} %`,
      );
    const never = this.neverSeen(states);
    if (this.seeds >= SEEDS_FOR_EVERY_STATE && never.length > 0)
      problems.push(`${this.seeds} seeds never reached ${never.join(', ')}`);
    return problems;
  }
}
