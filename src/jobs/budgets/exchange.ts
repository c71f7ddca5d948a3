import { covers, isNothing, least, minus, most, NOTHING, plus, type Amount } from '../../budget/amount.ts';
import {
  blockKey,
  setAsideOf,
  spentOf,
  withBlock,
  withSpent,
  type JobSpending,
  type OwnerLedger,
  type Refuser,
} from './owner-ledger.ts';

/** What may be spent at most. */
export interface Limits {
  /** By all jobs of the owner in the month, in micro-dollars. */
  owner: number;
  /** By the job, over all months; what is absent is not limited. */
  job: { microDollars?: number | undefined; tokens?: number | undefined };
}

/** What a process tells of its block, and what it asks for. */
export interface Exchange {
  job: string;
  holder: string;
  /** 1 for the first of a block, one more for each that follows. */
  number: number;
  /** What was left of the block after the exchange before, as the holder knows it. */
  before: Amount;
  /** Settled since. */
  spent: Amount;
  /** Set aside for calls under way. */
  open: Amount;
  /** Least that must be free for the next call. */
  need: Amount;
  /** What would be good to have free, so that it need not ask again soon. */
  want: Amount;
  /** What the job spent, and set aside, in earlier months. */
  earlier: Amount;
  limits: Limits;
  /** Unix milliseconds. */
  now: number;
}

/** What came of an exchange. */
export interface Exchanged {
  ledger: OwnerLedger;
  /** What is left of the block now. */
  left: Amount;
  /** The budget that has no room for what was needed. */
  refusedBy: Refuser | undefined;
}

/** Of what is left of a budget, a block takes at most this part: what is held by one process is out of reach for the others. */
const LARGEST_PART = 16;

/**
 * One exchange between a process and the ledger: books what it spent, and grants what it needs next. One that is made again, since nobody
 * knew whether the first was written, changes nothing.
 *
 * A block that is not there any more was settled in full while its holder was silent: what the holder spent of it is booked already.
 */
export function exchange(ledger: OwnerLedger, asked: Exchange): Exchanged {
  const { job, holder, number, open, need } = asked;
  const key = blockKey(holder, job);
  const block = Object.hasOwn(ledger.blocks, key) ? ledger.blocks[key] : undefined;
  if (block !== undefined && block.exchange >= number) {
    const refused = isNothing(need) || covers(block.left, plus(open, need)) ? undefined : ledger.jobs[job]?.refused?.by;
    return { ledger, left: block.left, refusedBy: refused };
  }
  const isForfeited = block === undefined && number > 1;
  const booked = isForfeited ? most(minus(asked.spent, asked.before), NOTHING) : asked.spent;
  let next = isNothing(booked) ? ledger : withSpent(ledger, job, booked);
  const { room, tightest } = roomFor(next, asked, key);
  // What was charged without a reservation may have overdrawn the budget: it is booked, and refuses the next call rather than this exchange.
  const enough = isNothing(need) || covers(room, plus(open, need));
  // Calls under way were granted before: they stay covered, whatever became of the limits.
  const left = enough ? plus(open, freeOf(minus(room, open), asked)) : open;
  if (!enough) next = withRefusal(next, asked, tightest);
  const isOver = isNothing(left) && isNothing(asked.spent);
  next = withBlock(next, key, isOver ? undefined : { job, holder, left, exchange: number });
  return { ledger: next, left, refusedBy: enough ? undefined : tightest };
}

/** What is free after the exchange, out of what could be: what is needed, and more where there is plenty. */
function freeOf(room: Amount, { need, want }: Exchange): Amount {
  const part = (amount: number): number => Math.max(0, Math.floor(amount / LARGEST_PART));
  return most(need, least(want, { microDollars: part(room.microDollars), tokens: part(room.tokens) }));
}

/** What the block may hold at most, by all budgets, and which one leaves least. Below zero where a budget is overdrawn. */
function roomFor(
  ledger: OwnerLedger,
  { job, limits, earlier, open, need }: Exchange,
  key: string,
): { room: Amount; tightest: Refuser } {
  const all = plus(spentOf(ledger), setAsideOf(ledger, { without: key }));
  const own = plus(plus(spentOf(ledger, job), setAsideOf(ledger, { job, without: key })), earlier);
  const ofOwner = limits.owner - all.microDollars;
  const ofJob: Amount = {
    microDollars: (limits.job.microDollars ?? Infinity) - own.microDollars,
    tokens: (limits.job.tokens ?? Infinity) - own.tokens,
  };
  const room = { microDollars: Math.min(ofOwner, ofJob.microDollars), tokens: ofJob.tokens };
  const jobRefuses = !covers(ofJob, plus(open, need));
  return { room, tightest: jobRefuses ? 'job' : 'owner' };
}

function withRefusal(ledger: OwnerLedger, { job, need, now }: Exchange, by: Refuser): OwnerLedger {
  const before: JobSpending = Object.hasOwn(ledger.jobs, job) ? ledger.jobs[job]! : { spent: NOTHING };
  return { ...ledger, jobs: { ...ledger.jobs, [job]: { ...before, refused: { by, needed: need, at: Math.round(now) } } } };
}
