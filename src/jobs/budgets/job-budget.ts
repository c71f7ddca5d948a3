import { covers, isNothing, minus, most, NOTHING, plus, times, type Amount } from '../../budget/amount.ts';
import { BudgetExhausted, type Budget, type Reservation } from '../../budget/budget.ts';
import { formatDollars } from '../../budget/money.ts';
import type { Clock } from '../../clock/clock.ts';
import type { BudgetLedger } from './budget-ledger.ts';
import { configuredLimit } from './budget-settings.ts';
import { exchange, type Exchanged, type Limits } from './exchange.ts';
import { monthOf, monthsBefore, type Month } from './month.ts';
import { blockKey, setAsideOf, spentOf } from './owner-ledger.ts';

/** A block is as large as this many of the largest calls seen. */
const CALLS_PER_BLOCK = 32;

/** What is booked for whom. */
export interface BudgetAccount {
  job: string;
  owner: string;
  /** Unix milliseconds: months before were none of the job's. */
  createdAt: number;
  /** The job's own limits, as they are now. */
  limits: () => Limits['job'];
}

/** What a {@link JobBudget} works with. */
export interface JobBudgetPorts {
  ledger: BudgetLedger;
  clock: Clock;
  /** This process: its node and its life. */
  holder: string;
}

/** What this process holds of one month. */
interface Held {
  month: Month;
  earlier: Amount;
  /** As the ledger has it. */
  left: Amount;
  /** Settled since the last exchange. */
  spent: Amount;
  /** Set aside for calls under way. */
  open: Amount;
  /** The ledger has a block of it. */
  isListed: boolean;
  isExchanging: boolean;
  exchanges: number;
  /** What the last exchange was to book, where nobody knows whether it was written: it is made again before anything else. */
  doubt: Amount | undefined;
  /** The newest piece of work on it, which the next one waits for. */
  turn: Promise<unknown>;
}

/**
 * The budget of one job in one process: calls reserve from a block that the process was granted, so that most of them ask nobody. What was
 * spent is booked with the next exchange; a process that is killed before it has its whole block booked.
 */
export class JobBudget implements Budget {
  readonly #account: BudgetAccount;
  readonly #ports: JobBudgetPorts;
  /** Of this month, and of the months of calls that are still under way. */
  #held: Held[] = [];
  #largest = NOTHING;

  constructor(account: BudgetAccount, ports: JobBudgetPorts) {
    this.#account = account;
    this.#ports = ports;
  }

  reserve(max: Amount): Reservation | Promise<Reservation> {
    this.#largest = most(this.#largest, max);
    const held = this.#current();
    // While an exchange is under way nobody knows how much there is.
    if (!held.isExchanging && hasFree(held, max)) return this.#take(held, max);
    return this.#inTurn(held, async () => {
      if (!hasFree(held, max)) await this.#exchange(held, { need: max, keep: true });
      return this.#take(held, max);
    });
  }

  charge(actual: Amount): void {
    this.#largest = most(this.#largest, actual);
    const held = this.#current();
    held.spent = plus(held.spent, actual);
    // At once: what is not covered is lost when this process is killed. Whoever waits for `cover` learns of errors.
    if (!hasFree(held, NOTHING)) this.#cover(held).catch(() => {});
  }

  /** Resolves once the ledger has set aside, or booked, all that was spent: results that say what they cost may be published. */
  async cover(): Promise<void> {
    for (const held of [...this.#held]) await this.#cover(held);
  }

  /** Books what was spent, and says that this process lives. */
  async renew(): Promise<void> {
    for (const held of [...this.#held])
      await this.#inTurn(held, async () => {
        if (isInUse(held)) await this.#exchange(held, { need: NOTHING, keep: true });
      });
  }

  /** Books what was spent and gives back what is free. */
  async close(): Promise<void> {
    for (const held of [...this.#held]) {
      await this.#inTurn(held, async () => {
        // Twice: a block with something to book stays until its holder knows that it was booked.
        for (let turn = 0; turn < 2 && isInUse(held); turn += 1) await this.#exchange(held, { need: NOTHING, keep: false });
      });
      const isPast = held.month !== monthOf(this.#ports.clock.now());
      if (isPast && !isInUse(held)) this.#held = this.#held.filter((other) => other !== held);
    }
  }

  /** Whether this process holds money of the job, or has spent some that is not booked. */
  get inUse(): boolean {
    return this.#held.some(isInUse);
  }

  #current(): Held {
    const month = monthOf(this.#ports.clock.now());
    let held = this.#held.find((one) => one.month === month);
    if (held === undefined) {
      const nothing = { earlier: NOTHING, left: NOTHING, spent: NOTHING, open: NOTHING };
      held = { month, ...nothing, isListed: false, isExchanging: false, exchanges: 0, doubt: undefined, turn: Promise.resolve() };
      this.#held.push(held);
    }
    return held;
  }

  #cover(held: Held): Promise<void> {
    return this.#inTurn(held, async () => {
      if (!hasFree(held, NOTHING)) await this.#exchange(held, { need: NOTHING, keep: true });
    });
  }

  #take(held: Held, max: Amount): Reservation {
    held.open = plus(held.open, max);
    let isSettled = false;
    const settle = (actual: Amount): void => {
      if (isSettled) return;
      isSettled = true;
      held.open = minus(held.open, max);
      held.spent = plus(held.spent, actual);
    };
    return {
      settle: (actual) => {
        this.#largest = most(this.#largest, actual);
        settle(actual);
      },
      forfeit: () => {
        settle(max);
        return max;
      },
    };
  }

  /** One after the other. */
  #inTurn<R>(held: Held, work: () => Promise<R>): Promise<R> {
    const mine = held.turn.then(work);
    held.turn = mine.catch(() => {});
    return mine;
  }

  async #exchange(held: Held, how: { need: Amount; keep: boolean }): Promise<void> {
    held.isExchanging = true;
    try {
      if (held.doubt !== undefined) await this.#exchangeNow(held, { need: NOTHING, keep: false });
      await this.#exchangeNow(held, how);
    } finally {
      held.isExchanging = false;
    }
  }

  async #exchangeNow(held: Held, { need, keep }: { need: Amount; keep: boolean }): Promise<void> {
    const { ledger, clock, holder } = this.#ports;
    const { job, owner } = this.#account;
    const limits = await this.#limits();
    if (held.exchanges === 0) held.earlier = await this.#earlier(held.month);
    const { left: before, spent: sinceThen, open, earlier } = held;
    // One that is made again books the same.
    const spent = (held.doubt ??= sinceThen);
    const want = keep ? times(this.#largest, CALLS_PER_BLOCK) : NOTHING;
    const number = held.exchanges + 1;
    let came: Exchanged | undefined;
    await ledger.change(owner, held.month, (newest) => {
      const now = clock.now();
      came = exchange(newest, { job, holder, number, before, spent, open, need, want, earlier, limits, now });
      return came.ledger;
    });
    held.doubt = undefined;
    held.exchanges = number;
    held.left = came!.left;
    held.spent = minus(held.spent, spent);
    held.isListed = Object.hasOwn(came!.ledger.blocks, blockKey(holder, job));
    if (came!.refusedBy !== undefined) throw this.#refusal(came!, need, limits);
  }

  async #limits(): Promise<Limits> {
    const { ledger } = this.#ports;
    const { owner, limits } = this.#account;
    const set = await ledger.limit(owner);
    return { owner: set ?? configuredLimit(await ledger.settings(), owner), job: limits() };
  }

  async #earlier(month: Month): Promise<Amount> {
    const { job, owner, createdAt } = this.#account;
    let sum = NOTHING;
    for (const before of monthsBefore(month, createdAt)) {
      const ledger = await this.#ports.ledger.read(owner, before);
      sum = plus(sum, plus(spentOf(ledger, job), setAsideOf(ledger, { job })));
    }
    return sum;
  }

  #refusal({ ledger, refusedBy }: Exchanged, need: Amount, { owner: ofOwner, job: ofJob }: Limits): BudgetExhausted {
    const { job, owner } = this.#account;
    const asked = need.microDollars > 0 ? formatDollars(need.microDollars) : `${need.tokens} tokens`;
    if (refusedBy === 'owner') {
      const spent = formatDollars(spentOf(ledger).microDollars);
      const text = `${asked} more than the ${spent} of ${formatDollars(ofOwner)} that were spent in ${ledger.month}`;
      return new BudgetExhausted(`budget of owner ${owner}`, `the budget of owner ${owner} has no room for ${text}`);
    }
    const limits = [
      ofJob.microDollars === undefined ? [] : [formatDollars(ofJob.microDollars)],
      ofJob.tokens === undefined ? [] : [`${ofJob.tokens} tokens`],
    ].flat();
    return new BudgetExhausted(
      `budget of job ${job}`,
      `the budget of job ${job}, ${limits.join(' and ')}, has no room for ${asked}`,
    );
  }
}

/** What the next call may reserve without asking. Below nothing where calls cost more than was reserved. */
function freeIn({ left, spent, open }: Held): Amount {
  return minus(left, plus(spent, open));
}

function hasFree(held: Held, amount: Amount): boolean {
  return held.doubt === undefined && covers(freeIn(held), amount);
}

function isInUse({ isListed, doubt, spent, open }: Held): boolean {
  return isListed || doubt !== undefined || !isNothing(spent) || !isNothing(open);
}
