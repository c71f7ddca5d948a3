import type { Ledger } from '../gen/millrace/v1/training_pb.ts';

/** What {@link admit} decides by. */
export interface AdmissionState {
  /** Requests dispatched so far (sequences 0 … accepted − 1). */
  accepted: number;
  /** Live ledger of the job: expired and failed requests count as soon as they have ended. */
  ledger: Pick<Ledger, 'expired' | 'failed'> & Partial<Pick<Ledger, 'trained' | 'filtered'>>;
  /** Committed rounds = newest policy version. */
  version: number;
  /** η: how many versions behind a group may be; 0 = fully synchronous. */
  maxStaleness: number;
  /** B: groups that close a round. */
  groupsPerRound: number;
  /** Rounds of the whole job. */
  rounds: number;
  /** Groups without signal are replaced as well (dynamic sampling). Default false. */
  refill?: boolean;
}

/**
 * How many requests may be dispatched now (DESIGN.md, promise 3).
 *
 * accepted − expired − failed ≤ min(η + version + 1, rounds) · B
 *
 * Requests that expired or failed count for no round, so each makes room for one more. A request with effective position p
 * is sent at version ≥ p/B − η − 1 and used in round ⌊p/B⌋ when groups are consumed in order: it is at most η versions behind.
 * Never zero while nothing is in flight and rounds remain, so the job cannot lock itself up.
 *
 * With `refill` a round may end short of groups, so positions no longer tell rounds: what is open is bounded instead,
 * accepted − ended ≤ min(η + 1, rounds − version) · B.
 */
export function admit(state: AdmissionState): number {
  if (state.refill) {
    const { expired, failed, trained = 0n, filtered = 0n } = state.ledger;
    const open = state.accepted - Number(expired) - Number(failed) - Number(trained) - Number(filtered);
    return Math.max(0, Math.min(state.maxStaleness + 1, state.rounds - state.version) * state.groupsPerRound - open);
  }
  const lost = Number(state.ledger.expired) + Number(state.ledger.failed);
  const rounds = Math.min(state.maxStaleness + state.version + 1, state.rounds);
  return Math.max(0, rounds * state.groupsPerRound + lost - state.accepted);
}

/** Groups that may wait for the store; see `rollout.storeBacklog`. */
export interface BacklogMarks {
  high: number;
  low: number;
}

/**
 * Whether admission is stopped by the store: from more than `high` waiting groups on, until there are at most `low`. Two marks and
 * not one, so that it does not begin and end with every batch of the writer.
 */
export function storeIsBehind(wasBehind: boolean, groups: number, { high, low }: BacklogMarks): boolean {
  return wasBehind ? groups > low : groups > high;
}
