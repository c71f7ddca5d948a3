import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import { emptyLedger } from './ledger.ts';

/** A job whose groups fail one after the other, this many rounds' worth without one that counts, is beyond help. */
export const MAX_FAILED_ROUNDS = 5;

/**
 * Counts the groups that failed since the newest version was made. A resumed job begins with a new count: what is in the ledger then has
 * been seen to.
 */
export class FailedGroups {
  readonly #job: string;
  #since: { version: number; ledger: Ledger } = { version: -1, ledger: emptyLedger() };

  /** @param job - its id */
  constructor(job: string) {
    this.#job = job;
  }

  /** Looks at the newest ledger. Says why the job is beyond help, in words; undefined while it is not. */
  check(version: number, ledger: Ledger, groupsPerRound: number): string | undefined {
    if (version !== this.#since.version) this.#since = { version, ledger };
    const lost = Number(ledger.failed - this.#since.ledger.failed);
    if (lost < MAX_FAILED_ROUNDS * groupsPerRound) return undefined;
    const classes = Object.entries(ledger.failedByClass).flatMap(([name, n]) => {
      const more = n - (this.#since.ledger.failedByClass[name] ?? 0n);
      return more > 0n ? [`${more} × ${name}`] : [];
    });
    return `${lost} groups failed in a row without one that counts (${classes.join(', ')}). \`millrace query failures --job ${this.#job}\` shows the messages.`;
  }
}
