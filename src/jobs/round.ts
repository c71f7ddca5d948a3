import type { JobConfig } from '../config/job.ts';
import { MillraceError } from '../errors.ts';
import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import { end, hasEnded } from './ledger.ts';

/** A scored group as round assembly sees it. */
export interface ArrivedGroup {
  sequence: number;
  /** Smallest version that acted in it. */
  policyVersion: number;
  verdict: 'signal' | 'no_signal' | 'failed';
  /** Name of the failure class, when the verdict is `failed`. */
  failure?: string;
  /** Trajectories with a valid score. */
  trajectories: number;
}

/**
 * What becomes of an arrived group.
 *
 * - `trained`: its gradient goes into this round (counted when the round is committed)
 * - `filtered`: no signal; it counts for the round and has no gradient
 * - `expired`: older than the staleness bound
 * - `failed`: no valid score
 * - `duplicate`: its sequence has ended or is in this round already; ack it when the other one is acked
 * - `held`: the round is full; {@link RoundAssembly.next} looks at it again
 */
export type Disposition = 'trained' | 'filtered' | 'expired' | 'failed' | 'duplicate' | 'held';

/** What a round starts from. */
export interface RoundStart {
  /** Ledger of the last committed version. */
  ledger: Ledger;
  /** The version whose weights the gradient is taken at; committing makes version + 1. */
  version: number;
  /** B. */
  groupsPerRound: number;
  /** η. */
  maxStaleness: number;
  /**
   * Dynamic sampling: groups without signal do not count and are replaced, until this many times `groupsPerRound` groups were
   * drawn for the round; it then closes with what it has. Default: they count.
   */
  draws?: number | undefined;
}

/**
 * How many times the groups of a round may be drawn until enough of them have a signal; undefined where groups without signal
 * count for the round. Source: dynamic sampling of DAPO, arXiv 2503.14476.
 */
export function refillDraws(algorithm: JobConfig['algorithm']): number | undefined {
  return (algorithm as { refill?: { draws: number } }).refill?.draws;
}

/**
 * Assembles one round from the groups that arrive: pure bookkeeping, no I/O.
 *
 * `live` is the ledger to admit by: it holds expired, failed and filtered groups at once. Groups with signal are counted by
 * {@link committed}, whose result belongs into the same commit record as the new weights. After a crash the round is
 * assembled anew from the last committed ledger and the groups that are delivered again.
 */
export class RoundAssembly<G extends ArrivedGroup> {
  readonly version: number;
  readonly #start: RoundStart;
  #live: Ledger;
  #filtered = 0;
  readonly #trained = new Map<number, G>();
  readonly #held = new Map<number, G>();

  constructor(start: RoundStart) {
    this.#start = start;
    this.version = start.version;
    this.#live = start.ledger;
  }

  /** Decides about one group. */
  offer(group: G): Disposition {
    const { sequence } = group;
    if (hasEnded(this.#live, sequence) || this.#trained.has(sequence) || this.#held.has(sequence)) return 'duplicate';
    if (group.verdict === 'failed') return this.#end(group, { failed: group.failure ?? 'UNSPECIFIED' }, 'failed');
    if (this.version - group.policyVersion > this.#start.maxStaleness) return this.#end(group, 'expired', 'expired');
    if (this.complete) {
      this.#held.set(sequence, group);
      return 'held';
    }
    if (group.verdict === 'no_signal') {
      this.#filtered += 1;
      return this.#end(group, 'filtered', 'filtered');
    }
    this.#trained.set(sequence, group);
    return 'trained';
  }

  #end(group: G, outcome: Parameters<typeof end>[2], disposition: Disposition): Disposition {
    this.#live = end(this.#live, group.sequence, outcome, group.trajectories);
    return disposition;
  }

  /** Groups that count for the round so far, of B. */
  get count(): number {
    return this.#start.draws === undefined ? this.drawn : this.#trained.size;
  }

  /** Groups with a valid score so far, with and without signal. */
  get drawn(): number {
    return this.#trained.size + this.#filtered;
  }

  /** B groups count, or no more may be drawn. */
  get complete(): boolean {
    return this.count >= this.#start.groupsPerRound || this.exhausted;
  }

  /** The round has drawn all it may and still lacks groups with a signal. */
  get exhausted(): boolean {
    const { draws, groupsPerRound } = this.#start;
    return draws !== undefined && this.#trained.size < groupsPerRound && this.drawn >= draws * groupsPerRound;
  }

  /** Ended requests as of now, without the groups to be trained in this round. */
  get live(): Ledger {
    return this.#live;
  }

  /** The groups to train on, by sequence: the order of arrival leaves no trace. */
  groups(): G[] {
    return [...this.#trained.values()].sort((a, b) => a.sequence - b.sequence);
  }

  /** The ledger of version + 1. `failed_precondition` before the round is complete. */
  committed(): Ledger {
    if (!this.complete) {
      const { groupsPerRound } = this.#start;
      throw new MillraceError('failed_precondition', `round ${this.version} has ${this.count} of ${groupsPerRound} groups`);
    }
    return this.groups().reduce((ledger, group) => end(ledger, group.sequence, 'trained', group.trajectories), this.#live);
  }

  /** The round after this one was committed, with what became of the groups held back (lowest sequence first). */
  next(): { round: RoundAssembly<G>; decided: { group: G; disposition: Disposition }[] } {
    const round = new RoundAssembly<G>({ ...this.#start, ledger: this.committed(), version: this.version + 1 });
    const held = [...this.#held.values()].sort((a, b) => a.sequence - b.sequence);
    return { round, decided: held.map((group) => ({ group, disposition: round.offer(group) })) };
  }
}
