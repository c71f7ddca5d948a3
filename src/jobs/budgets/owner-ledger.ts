import { z } from 'zod';
import { NOTHING, plus, type Amount } from '../../budget/amount.ts';
import { wordsOf } from '../../algo/schema/issue-words.ts';
import { MillraceError } from '../../errors.ts';
import type { Month } from './month.ts';

const count = z.int().min(0);
const amountSchema = z.object({ microDollars: count.default(0), tokens: count.default(0) });

/** Which budget refused. */
const REFUSERS = ['owner', 'job'] as const;

const spendingSchema = z.object({
  /** Settled: of calls that were answered, and of those that nobody knows anything of. */
  spent: amountSchema,
  /** The last reservation that was refused; until somebody lets the job go on. */
  refused: z.object({ by: z.enum(REFUSERS), needed: amountSchema, at: count }).optional(),
});

const blockSchema = z.object({
  job: z.string().min(1),
  /** Process that holds it: its node and its life. */
  holder: z.string().min(1),
  /** Of what it was granted, what it has not settled. */
  left: amountSchema,
  /** Number of the holder's newest exchange: one that comes again is known. */
  exchange: z.int().min(1),
});

const FORMAT = 1;
const REMEDY = '`millrace doctor --remove` takes it away, and the month begins anew with nothing spent';

const ledgerSchema = z.object({
  format: z.literal(FORMAT).default(FORMAT),
  jobs: z.record(z.string(), spendingSchema).default({}),
  blocks: z.record(z.string(), blockSchema).default({}),
});

/** What one owner's jobs have spent in one calendar month, and what is set aside for them. */
export interface OwnerLedger extends z.infer<typeof ledgerSchema> {
  owner: string;
  month: Month;
}

/** What one job has spent in the month. */
export type JobSpending = z.infer<typeof spendingSchema>;

/** What one process has been granted for one job. */
export type Block = z.infer<typeof blockSchema>;

/** Which budget refused a reservation. */
export type Refuser = (typeof REFUSERS)[number];

export function emptyOwnerLedger(owner: string, month: Month): OwnerLedger {
  return { format: FORMAT, owner, month, jobs: {}, blocks: {} };
}

export function blockKey(holder: string, job: string): string {
  return `${holder}/${job}`;
}

/** Settled, of one job or of all. */
export function spentOf(ledger: OwnerLedger, job?: string): Amount {
  if (job !== undefined) return Object.hasOwn(ledger.jobs, job) ? ledger.jobs[job]!.spent : NOTHING;
  return Object.values(ledger.jobs).reduce<Amount>((sum, { spent }) => plus(sum, spent), NOTHING);
}

/** Set aside and not settled, of one job or of all, without the block with this key. */
export function setAsideOf(ledger: OwnerLedger, of: { job?: string; without?: string } = {}): Amount {
  let sum = NOTHING;
  for (const [key, { job, left }] of Object.entries(ledger.blocks))
    if (key !== of.without && (of.job === undefined || of.job === job)) sum = plus(sum, left);
  return sum;
}

/** Whether some process still holds money of the job. */
export function isSettled(ledger: OwnerLedger, job: string): boolean {
  return Object.values(ledger.blocks).every((block) => block.job !== job);
}

/** The ledger after more was settled for a job. */
export function withSpent(ledger: OwnerLedger, job: string, amount: Amount): OwnerLedger {
  const before: JobSpending = Object.hasOwn(ledger.jobs, job) ? ledger.jobs[job]! : { spent: NOTHING };
  return { ...ledger, jobs: { ...ledger.jobs, [job]: { ...before, spent: plus(before.spent, amount) } } };
}

/** The ledger after the block was changed, or given up. */
export function withBlock(ledger: OwnerLedger, key: string, block: Block | undefined): OwnerLedger {
  const { [key]: _, ...others } = ledger.blocks;
  return { ...ledger, blocks: block === undefined ? others : { ...others, [key]: block } };
}

/**
 * Settles a block whose holder has gone silent in full: it may have spent all of it, and nobody knows. Undefined when the holder has been
 * heard of since, or the block is gone.
 */
export function forfeitBlock(ledger: OwnerLedger, key: string, exchange: number): OwnerLedger | undefined {
  const block = Object.hasOwn(ledger.blocks, key) ? ledger.blocks[key] : undefined;
  if (block?.exchange !== exchange) return undefined;
  return withBlock(withSpent(ledger, block.job, block.left), key, undefined);
}

/** Forgets that the job was refused: somebody lets it go on. Undefined when it was not. */
export function forgetRefusal(ledger: OwnerLedger, job: string): OwnerLedger | undefined {
  const spending = Object.hasOwn(ledger.jobs, job) ? ledger.jobs[job] : undefined;
  if (spending?.refused === undefined) return undefined;
  return { ...ledger, jobs: { ...ledger.jobs, [job]: { spent: spending.spent } } };
}

export function encodeOwnerLedger({ format, jobs, blocks }: OwnerLedger): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format, jobs, blocks }));
}

/**
 * Reads what {@link encodeOwnerLedger} wrote.
 *
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` when it is damaged.
 */
export function decodeOwnerLedger(bytes: Uint8Array, of: { owner: string; month: Month }): OwnerLedger {
  const what = `the ledger of owner "${of.owner}" for ${of.month}`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MillraceError('data_loss', `${what} is not JSON (truncated, or something else); ${REMEDY}`, { cause });
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format > FORMAT) {
    const versions = `format ${format}; this version reads ${FORMAT}`;
    throw new MillraceError('failed_precondition', `${what}: a newer version of Millrace wrote it (${versions}): upgrade`);
  }
  const parsed = ledgerSchema.safeParse(value);
  if (parsed.success) return { ...parsed.data, ...of };
  const issue = parsed.error.issues[0]!;
  const message = `${what} cannot be read: ${issue.path.join('.')}: expected ${wordsOf(issue)}; ${REMEDY}`;
  throw new MillraceError('data_loss', message);
}
