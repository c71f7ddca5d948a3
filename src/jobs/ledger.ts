import { create } from '@bufbuild/protobuf';
import { MillraceError } from '../errors.ts';
import { LedgerSchema, type Ledger } from '../gen/millrace/v1/training_pb.ts';

/** How a training request ended; `failed` carries the name of its failure class, e.g. `TOOL_TIMEOUT`. */
export type LedgerOutcome = 'trained' | 'filtered' | 'expired' | { failed: string };

/** A ledger in which nothing has ended. */
export function emptyLedger(): Ledger {
  return create(LedgerSchema);
}

/** The ledger that a job begins with which goes on with another one's training: the same ends, and nothing spent: that was the other job's. */
export function forkedLedger(ledger: Ledger): Ledger {
  return create(LedgerSchema, { ...ledger, unstored: 0n, spentMicroDollars: 0n, spentTokens: 0n });
}

/** Groups that were used: those that ended otherwise than as failed. */
export function usedCount(ledger: Ledger): number {
  return endedCount(ledger) - Number(ledger.failed);
}

/** Whether the request with this sequence has ended in any way. */
export function hasEnded(ledger: Ledger, sequence: number | bigint): boolean {
  const s = BigInt(sequence);
  return s < ledger.frontier || ledger.endedBeyond.includes(s);
}

/**
 * Books the end of one request. The ledger given is not changed; when the request has ended before, it is returned as it
 * is (the same object), so that a redelivered group can never count twice.
 * `trajectories` (those with a valid score) count for trained and filtered groups only.
 */
export function end(ledger: Ledger, sequence: number | bigint, outcome: LedgerOutcome, trajectories = 0): Ledger {
  const s = BigInt(sequence);
  if (s < 0n) throw new MillraceError('invalid_argument', `sequence ${s} is negative`, { field: 'sequence' });
  if (hasEnded(ledger, s)) return ledger;
  const next = create(LedgerSchema, {
    ...counts(ledger),
    failedByClass: { ...ledger.failedByClass },
    ...advance(ledger.frontier, ledger.endedBeyond, s),
  });
  if (typeof outcome === 'object') {
    next.failed += 1n;
    next.failedByClass[outcome.failed] = (next.failedByClass[outcome.failed] ?? 0n) + 1n;
  } else {
    next[outcome] += 1n;
    if (outcome !== 'expired') next.trajectories += BigInt(trajectories);
  }
  return next;
}

function counts(ledger: Ledger) {
  const { trained, filtered, expired, failed, trajectories, spentMicroDollars, spentTokens } = ledger;
  return { trained, filtered, expired, failed, trajectories, spentMicroDollars, spentTokens };
}

/** Adds `s` to the ended sequences and moves the frontier over what is now contiguous. `beyond` stays sorted. */
function advance(frontier: bigint, beyond: readonly bigint[], s: bigint): { frontier: bigint; endedBeyond: bigint[] } {
  const sorted = [...beyond];
  let at = sorted.length;
  while (at > 0 && (sorted[at - 1] ?? 0n) > s) at -= 1;
  sorted.splice(at, 0, s);
  let contiguous = 0;
  while (sorted[contiguous] === frontier + BigInt(contiguous)) contiguous += 1;
  return { frontier: frontier + BigInt(contiguous), endedBeyond: sorted.slice(contiguous) };
}

/** Requests that have ended. */
export function endedCount(ledger: Ledger): number {
  return Number(ledger.trained + ledger.filtered + ledger.expired + ledger.failed);
}

/** Sequences below `accepted` that have not ended, ascending: what is in flight, or to be dispatched again on resume. */
export function open(ledger: Ledger, accepted: number | bigint): number[] {
  const ended = new Set(ledger.endedBeyond);
  const sequences: number[] = [];
  for (let s = ledger.frontier; s < BigInt(accepted); s += 1n) if (!ended.has(s)) sequences.push(Number(s));
  return sequences;
}

/**
 * The cursor to resume with: past everything that has ended and everything the job record says was dispatched. All of
 * `open(ledger, cursor)` is dispatched again; message ids are deterministic, so that a request still under way is not doubled.
 */
export function acceptedOnResume(ledger: Ledger, recorded: number): number {
  const newest = ledger.endedBeyond.at(-1);
  return Math.max(recorded, Number(ledger.frontier), newest === undefined ? 0 : Number(newest) + 1);
}

/**
 * Throws `data_loss` unless requests = trained + filtered + expired + failed + open holds, with `accepted` requests, and the
 * ledger is consistent in itself.
 */
export function checkLedger(ledger: Ledger, accepted: number | bigint): void {
  const problem = inconsistency(ledger, BigInt(accepted));
  if (problem !== undefined) throw new MillraceError('data_loss', `the ledger does not add up: ${problem}`, { field: 'ledger' });
}

function inconsistency(ledger: Ledger, accepted: bigint): string | undefined {
  const { trained, filtered, expired, failed, frontier, endedBeyond } = ledger;
  const ended = trained + filtered + expired + failed;
  const byClass = Object.values(ledger.failedByClass).reduce((sum, n) => sum + n, 0n);
  if (byClass !== failed) return `failed is ${failed} but its classes sum to ${byClass}`;
  for (const [i, s] of endedBeyond.entries()) {
    if (s <= (i === 0 ? frontier : (endedBeyond[i - 1] ?? 0n)))
      return `sequence ${s} is listed at or before ${frontier} or twice`;
  }
  const marked = frontier + BigInt(endedBeyond.length);
  if (marked !== ended) return `${ended} ends are counted but ${marked} sequences have ended`;
  const last = endedBeyond.at(-1) ?? frontier - 1n;
  if (last >= accepted) return `sequence ${last} has ended but only ${accepted} requests were dispatched`;
  const left = BigInt(open(ledger, accepted).length);
  if (ended + left !== accepted) return `${accepted} requests, ${ended} ended, ${left} open`;
  return undefined;
}

/** The ledger's counts as plain numbers, as reports show them. */
export interface Accounting {
  requests: number;
  trained: number;
  filtered: number;
  expired: number;
  failed: number;
  /** Dispatched and not ended. */
  open: number;
  failedByClass: Record<string, number>;
  /** Groups that were used and whose rows the store does not have. */
  unstored: number;
}

export function accounting(ledger: Ledger, accepted: number | bigint): Accounting {
  return {
    requests: Number(accepted),
    trained: Number(ledger.trained),
    filtered: Number(ledger.filtered),
    expired: Number(ledger.expired),
    failed: Number(ledger.failed),
    open: Number(accepted) - endedCount(ledger),
    failedByClass: Object.fromEntries(Object.entries(ledger.failedByClass).map(([name, n]) => [name, Number(n)])),
    unstored: Number(ledger.unstored),
  };
}
