import { fromBinary } from '@bufbuild/protobuf';
import { microDollars } from '../../../src/budget/money.ts';
import { TrajectoryGroupSchema } from '../../../src/gen/millrace/v1/training_pb.ts';
import { readBudgetEntry } from '../../../src/jobs/budgets/kv-ledger.ts';
import { emptyOwnerLedger, setAsideOf, spentOf, type OwnerLedger } from '../../../src/jobs/budgets/owner-ledger.ts';
import { BUDGETS } from '../../../src/protocol/names.ts';
import { groupSubject } from '../../../src/protocol/subjects.ts';
import type { MoneyPlan, PaidCalls } from '../money.ts';
import { Violation, type Observer } from '../observer.ts';
import type { Check, Fail } from './check.ts';
import { rowsOf, type Facts } from './facts.ts';
import type { Sometimes } from './sometimes.ts';

/** What {@link MoneyCheck} needs of a run. */
export interface MoneyCheckOptions {
  plan: MoneyPlan;
  calls: PaidCalls;
  facts: Facts;
  saw: (state: Sometimes) => void;
  fail: Fail;
}

/**
 * No money without a reservation (promise 9): ledgers cover every call from its beginning on, and every row that says what it cost; no budget
 * is exceeded but by calls whose cost nobody knew before, and by what lost processes held; at the end ledgers, manifest and store have the
 * same sum.
 */
export class MoneyCheck implements Check {
  readonly #options: MoneyCheckOptions;
  /** By key of the bucket. */
  readonly #ledgers = new Map<string, OwnerLedger>();
  /** Limits that were set, in micro-dollars, by the owner's part of the key. */
  readonly #limits = new Map<string, number>();
  /** What lost processes held, in micro-dollars. */
  #forfeited = 0;
  /** Rows of table `spending` of the job of the run, by month. */
  readonly #charged = new Map<string, number>();
  /** Of all groups of that job that were published, in micro-dollars: each run of a request costs something. */
  #published = 0;
  /** Costs of trajectories of that job in the store, by id. */
  readonly #rows = new Map<string, number>();

  constructor(options: MoneyCheckOptions) {
    this.#options = options;
    options.calls.onBegin = () => this.#checkCalls();
  }

  published({ node, subject, data }: Parameters<Observer['published']>[0]): void {
    // Coordinators publish again what was held.
    if (subject !== groupSubject('job') || !node.startsWith('rollout')) return;
    const { trajectories } = fromBinary(TrajectoryGroupSchema, data);
    this.#published += sumOf(trajectories.map(({ microDollars }) => Number(microDollars)));
    this.#checkRecorded('groups', this.#published);
  }

  written({ bucket, key, value }: Parameters<Observer['written']>[0]): void {
    if (bucket !== BUDGETS || !value) return;
    const [kind, ...parts] = key.split('.');
    if (kind === 'limit') this.#limits.set(parts[0]!, readBudgetEntry(value, key) as number);
    if (kind !== 'ledger') return;
    const now = readBudgetEntry(value, key) as OwnerLedger;
    const before = this.#ledgers.get(key) ?? emptyOwnerLedger(now.owner, now.month);
    this.#ledgers.set(key, now);
    this.#countForfeited(before, now);
    this.#checkLimits(now, parts[1]!);
    this.#checkCalls();
  }

  inserted(...[table, rows]: Parameters<Observer['inserted']>): void {
    for (const of of rowsOf(table, rows)) {
      const amount = Number(of('micro_dollars'));
      if (table === 'spending') {
        const month = String(of('month'));
        this.#charged.set(month, Math.max(amount, this.#charged.get(month) ?? 0));
      }
      if (table === 'trajectories') this.#rows.set(String(of('trajectory_id')), amount);
    }
    this.#checkRecorded('rows', sumOf(this.#rows.values()));
  }

  /** What holds of the money of jobs that have ended. */
  checkEnd(): void {
    const { calls, facts } = this.#options;
    const held = this.#sum((ledger) => Object.keys(ledger.blocks).length);
    if (held > 0) throw new Violation('money-is-settled', `the jobs have ended and ${held} blocks are not settled`);
    const spent = this.#sum((ledger) => spentOf(ledger).microDollars);
    const most = calls.reserved + calls.unreserved + this.#forfeited;
    if (spent > most)
      throw new Violation('money-is-booked-once', `${spent} are booked, and calls and lost processes make ${most} at most`);
    const ledger = this.#sum((one) => spentOf(one, 'job').microDollars);
    const manifest = Number(facts.manifest?.ledger?.spentMicroDollars ?? ledger);
    if (manifest !== ledger) throw new Violation('sums-are-equal', `the ledgers have ${ledger}, the manifest has ${manifest}`);
    const charged = sumOf(this.#charged.values());
    if (charged !== ledger && !facts.eventsLost)
      throw new Violation('sums-are-equal', `the ledgers have ${ledger}, the store has ${charged}`);
  }

  /** What trajectories of the job of the run say is booked, or set aside, before they say it. */
  #checkRecorded(what: string, recorded: number): void {
    const covered = this.#ofJob();
    if (recorded > covered) this.#options.fail('money-covers-rows', `${what} say ${recorded}, and the ledgers cover ${covered}`);
  }

  #checkCalls(): void {
    const { calls, fail } = this.#options;
    const covered = this.#sum((ledger) => spentOf(ledger).microDollars + setAsideOf(ledger).microDollars);
    if (calls.reserved > covered)
      fail('money-covers-calls', `calls cost ${calls.reserved} at most, and the ledgers cover ${covered}`);
  }

  #checkLimits(ledger: OwnerLedger, owner: string): void {
    const { plan, calls, facts, fail } = this.#options;
    const beyond = calls.unreserved + this.#forfeited;
    const limit = this.#limits.get(owner) ?? microDollars(plan.settings.budgets.monthlyDollars);
    const all = spentOf(ledger).microDollars + setAsideOf(ledger).microDollars;
    if (all > limit + beyond)
      fail('owner-budget-is-kept', `${all} of ${limit} are spent or set aside, with ${beyond} that nobody could reserve`);
    const ofJob = facts.record?.budget?.dollars ?? plan.ofJob;
    if (ofJob === undefined) return;
    const own = this.#ofJob();
    if (own > microDollars(ofJob) + beyond)
      fail(
        'job-budget-is-kept',
        `${own} of ${microDollars(ofJob)} are spent or set aside, with ${beyond} that nobody could reserve`,
      );
  }

  #countForfeited(before: OwnerLedger, now: OwnerLedger): void {
    for (const [key, { job }] of Object.entries(before.blocks)) {
      if (Object.hasOwn(now.blocks, key)) continue;
      const booked = spentOf(now, job).microDollars - spentOf(before, job).microDollars;
      if (booked > 0) this.#options.saw('money-of-lost-process');
      this.#forfeited += booked;
    }
    for (const [job, { refused }] of Object.entries(now.jobs))
      if (refused !== undefined && before.jobs[job]?.refused === undefined) this.#options.saw('budget-was-spent');
  }

  /** Spent by, or set aside for, the job of the run. */
  #ofJob(): number {
    return this.#sum((ledger) => spentOf(ledger, 'job').microDollars + setAsideOf(ledger, { job: 'job' }).microDollars);
  }

  #sum(amount: (ledger: OwnerLedger) => number): number {
    return sumOf([...this.#ledgers.values()].map(amount));
  }
}

function sumOf(amounts: Iterable<number>): number {
  let sum = 0;
  for (const amount of amounts) sum += amount;
  return sum;
}
