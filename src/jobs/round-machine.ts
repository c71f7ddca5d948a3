import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import { end, hasEnded } from './ledger.ts';
import { RoundAssembly, type ArrivedGroup, type Disposition, type RoundStart } from './round.ts';

/** What a {@link RoundMachine} starts from; times are monotonic milliseconds. */
export interface RoundMachineStart extends RoundStart {
  now: number;
}

/** A group with the delivery that brought it. */
export interface GroupArrival<G, D> {
  group: G;
  /** Given back by the machine once the group has ended in a committed ledger. */
  delivery: D;
  /** When its request was sent, in monotonic milliseconds: training time starts with the first one after a pause. */
  requestedAt: number;
}

/** A round whose groups are complete: what its update is computed from and committed with. */
export interface CompleteRound<G> {
  /** The version whose weights the gradient is taken at; committing makes version + 1. */
  version: number;
  /** Groups to train on, by sequence. */
  trained: readonly G[];
  /** Groups that count for the round, with and without signal. */
  counted: readonly G[];
  /** Ledger of version + 1. */
  ledger: Ledger;
  /** Requests that expired since the last round. */
  expired: number;
  /** Requests that failed since the last round. */
  failed: number;
  /** Dynamic sampling drew all it may and still lacks groups with a signal. */
  exhausted: boolean;
  /** When training time of the round began, in monotonic milliseconds. */
  startedAt: number;
}

/**
 * The rounds of one job between two commits: which groups make the round in progress, what a commit counts, and which
 * deliveries it ends. Pure state: the caller computes, commits, and then says so with {@link committed} or {@link amended}.
 * After a crash or a reset a new machine starts from the last committed ledger.
 *
 * `G` is the group, `D` the delivery to acknowledge.
 */
export class RoundMachine<G extends ArrivedGroup, D> {
  readonly #replacesFiltered: boolean;
  #round: RoundAssembly<G>;
  /** Ledger of the last commit. */
  #ledger: Ledger;
  /** The ledger of the last commit and what ended since without a round. */
  #amended: Ledger;
  /** Deliveries of groups that have not ended in a committed ledger, by sequence. */
  readonly #deliveries = new Map<number, D[]>();
  #counted: G[] = [];
  #expired = 0;
  #failed = 0;
  /** Start of the training time of the round. */
  #startedAt: number;
  /** Set while no group has arrived since the start or a pause: that time is not training time. */
  #idleSince: number | undefined;

  constructor(start: RoundMachineStart) {
    this.#replacesFiltered = start.draws !== undefined;
    this.#round = new RoundAssembly<G>(start);
    this.#ledger = start.ledger;
    this.#amended = start.ledger;
    this.#startedAt = start.now;
    this.#idleSince = start.now;
  }

  /** The version whose round is in progress. */
  get version(): number {
    return this.#round.version;
  }

  /** Groups that count for the round in progress. */
  get count(): number {
    return this.#round.count;
  }

  /** Whether the request with this sequence has ended in a committed ledger: its delivery can be acknowledged at once. */
  hasEnded(sequence: number): boolean {
    return hasEnded(this.#ledger, sequence);
  }

  /** Takes a group that has not ended. Its delivery is kept until a commit ends it. */
  arrived({ group, delivery, requestedAt }: GroupArrival<G, D>): Disposition {
    const kept = this.#deliveries.get(group.sequence);
    if (kept) kept.push(delivery);
    else this.#deliveries.set(group.sequence, [delivery]);
    if (this.#idleSince !== undefined) {
      // A group that was requested before a pause must not count the pause.
      this.#startedAt = Math.max(requestedAt, this.#idleSince);
      this.#idleSince = undefined;
    }
    const disposition = this.#round.offer(group);
    this.#note(group, disposition);
    return disposition;
  }

  /** The job is not running: the time until the next group is not training time. */
  paused(now: number): void {
    this.#idleSince = now;
  }

  /** The round in progress once its groups are complete; undefined before. */
  get complete(): CompleteRound<G> | undefined {
    const round = this.#round;
    if (!round.complete) return undefined;
    return {
      version: round.version,
      trained: round.groups(),
      counted: [...this.#counted],
      ledger: round.committed(),
      expired: this.#expired,
      failed: this.#failed,
      exhausted: round.exhausted,
      startedAt: this.#startedAt,
    };
  }

  /** The complete round was committed: the next one begins. Returns the deliveries to acknowledge. */
  committed(now: number): D[] {
    const ledger = this.#round.committed();
    const { round, decided } = this.#round.next();
    this.#ledger = ledger;
    this.#amended = ledger;
    this.#round = round;
    this.#counted = [];
    this.#expired = 0;
    this.#failed = 0;
    this.#startedAt = now;
    for (const { group, disposition } of decided) this.#note(group, disposition);
    return this.#takeEnded();
  }

  /**
   * What ended since the last commit and is to be committed without a round, so that admission can replace it before the
   * round is complete; undefined when there is nothing.
   */
  get amendment(): Ledger | undefined {
    return this.#amended === this.#ledger ? undefined : this.#amended;
  }

  /** The {@link amendment} was committed. Returns the deliveries to acknowledge. */
  amended(): D[] {
    this.#ledger = this.#amended;
    return this.#takeEnded();
  }

  /** Books what a commit without a round may hold, and counts for the round's record. */
  #note(group: G, disposition: Disposition): void {
    if (disposition === 'trained' || disposition === 'filtered') this.#counted.push(group);
    if (disposition === 'filtered' && this.#replacesFiltered) {
      this.#amended = end(this.#amended, group.sequence, 'filtered', group.trajectories);
    } else if (disposition === 'expired') {
      this.#amended = end(this.#amended, group.sequence, 'expired');
      this.#expired += 1;
    } else if (disposition === 'failed') {
      this.#amended = end(this.#amended, group.sequence, { failed: group.failure ?? 'UNSPECIFIED' });
      this.#failed += 1;
    }
  }

  #takeEnded(): D[] {
    const ended: D[] = [];
    for (const [sequence, deliveries] of this.#deliveries) {
      if (!hasEnded(this.#ledger, sequence)) continue;
      this.#deliveries.delete(sequence);
      ended.push(...deliveries);
    }
    return ended;
  }
}
