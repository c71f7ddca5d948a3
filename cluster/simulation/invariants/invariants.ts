import type { JobConfig } from '../../../src/config/job.ts';
import type { SchedulerConfig } from '../../../src/config/scheduler.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { PolicyLearner } from '../../../src/policy/kind.ts';
import type { PolicyKinds } from '../../../src/policy/registry.ts';
import { JOBS, POLICIES } from '../../../src/protocol/names.ts';
import { DEAD_LETTER_PREFIX } from '../../../src/protocol/subjects.ts';
import type { TableName } from '../../../src/records/tables.ts';
import { Violation, type Observer } from '../observer.ts';
import type { MoneyPlan, PaidCalls } from '../money.ts';
import type { ServiceFacts } from '../service.ts';
import type { World } from '../world.ts';
import { STATE_DIR } from '../state-dir.ts';
import { admissionCheck } from './admission.ts';
import { advantageCheck } from './advantages.ts';
import type { Check } from './check.ts';
import { checkCheckpoints } from './checkpoints.ts';
import { commitChecks } from './commits.ts';
import { damageCheck } from './damage.ts';
import { checkEnd, checkHistory, checkLeftovers, checkStore } from './ending.ts';
import { Facts } from './facts.ts';
import { heldCheck } from './held.ts';
import { MoneyCheck } from './money.ts';
import { ownerCheck } from './owners.ts';
import { placeCheck } from './places.ts';
import { PublishedWeights } from './published-weights.ts';
import { refusedCheck } from './refused.ts';
import { releaseCheck } from './release.ts';
import { requestCheck } from './requests.ts';
import { resentCheck } from './resent.ts';
import { rewardCheck } from './rewards.ts';
import { servedCheck } from './served.ts';
import type { Sometimes } from './sometimes.ts';
import { stateWatch } from './states.ts';
import { updateCheck } from './updates.ts';
import { verdictCheck } from './verdicts.ts';
import { viewCheck } from './views.ts';

/** How long the writer has for what is left when the job has ended, in virtual ms. */
const LAST_ROWS_MS = 120_000;
const LOOK_MS = 500;
/** A job that makes no progress for so long must say what it waits for, in virtual ms. */
const SILENT_MS = 10_000;

/** What {@link Invariants} needs of a run. */
export interface InvariantOptions {
  world: World;
  config: JobConfig;
  service: ServiceFacts;
  /** Of the job's policy, for what is computed anew. */
  learner: PolicyLearner;
  /** Policy kinds of the flow. */
  kinds: PolicyKinds;
  /** Of runs with several jobs. */
  scheduler?: SchedulerConfig | undefined;
  /** Of runs whose calls cost something. */
  money?: { plan: MoneyPlan; calls: PaidCalls } | undefined;
}

/** All invariants, checked at every change of NATS and the store. */
export class Invariants implements Observer {
  /** Rejects with the first {@link Violation}. */
  readonly broken: Promise<never>;
  readonly #world: World;
  readonly #config: JobConfig;
  readonly #kinds: PolicyKinds;
  readonly #facts = new Facts();
  /** About the job of the run alone. */
  readonly #checks: Check[];
  /** About all jobs. */
  readonly #places: Check | undefined;
  /** About the money of all jobs. */
  readonly #money: MoneyCheck | undefined;
  readonly #checkView: (job: Job) => void;
  readonly #states: ReturnType<typeof stateWatch>;
  readonly #seen = new Set<string>();
  /** Resolves when the job's last version was evaluated: it ends next. */
  readonly lastEvaluation: Promise<void>;
  #evaluated!: () => void;
  readonly #admissions: { left: number; resolve: () => void }[] = [];
  #break!: (violation: Violation) => void;
  /** What the client saw last, and since when it is the same. */
  #last = { text: '', since: 0 };
  /** Requests that the record had accepted at its last write. */
  #accepted = 0;

  constructor({ world, config, service, learner, kinds, scheduler, money }: InvariantOptions) {
    this.#kinds = kinds;
    this.#world = world;
    this.#config = config;
    this.broken = new Promise((_, reject) => (this.#break = reject));
    this.broken.catch(() => {});
    this.lastEvaluation = new Promise((resolve) => (this.#evaluated = resolve));
    const fail = (invariant: string, message: string): void => this.fail(new Violation(invariant, message));
    const { rollout, rounds } = config;
    this.#money = money && new MoneyCheck({ ...money, facts: this.#facts, saw: (state) => this.saw(state), fail });
    this.#places = scheduler && placeCheck(scheduler, (state) => this.saw(state), fail);
    this.#states = stateWatch(this.#facts, (state) => this.saw(state));
    this.#checkView = viewCheck(this.#facts, fail);
    const weights = new PublishedWeights(fail);
    this.#checks = [
      this.#facts,
      weights,
      commitChecks(this.#facts, rollout, fail),
      releaseCheck(this.#facts, fail),
      rewardCheck(this.#facts, service, fail),
      advantageCheck(this.#facts, config, fail),
      verdictCheck(this.#facts, fail),
      admissionCheck(this.#facts, { ...rollout, rounds }, fail),
      requestCheck(this.#facts, fail),
      resentCheck(this.#facts, fail),
      heldCheck(this.#facts, fail),
      servedCheck(weights, learner, fail),
      damageCheck(fail),
      refusedCheck(fail),
      ownerCheck(world, (role, job) => world.working(role, job), fail),
      updateCheck({ facts: this.#facts, weights, config, learner }, fail),
      this.#states,
    ];
  }

  published(message: Parameters<Observer['published']>[0]): void {
    this.#money?.published(message);
    if (isOfJob(message.subject)) for (const check of this.#checks) check.published?.(message);
  }

  sent(message: Parameters<Observer['sent']>[0]): void {
    if (isOfJob(message.subject)) for (const check of this.#checks) check.sent?.(message);
  }

  read(read: Parameters<Observer['read']>[0]): void {
    if (isOfJob(read.filter)) for (const check of this.#checks) check.read?.(read);
  }

  deleted(message: Parameters<Observer['deleted']>[0]): void {
    for (const check of this.#checks) check.deleted?.(message);
  }

  lost(place: Parameters<Observer['lost']>[0]): void {
    for (const check of this.#checks) check.lost?.(place);
  }

  acked(ack: Parameters<Observer['acked']>[0]): void {
    if (isOfJob(ack.message.subject)) for (const check of this.#checks) check.acked?.(ack);
  }

  written(write: Parameters<Observer['written']>[0]): void {
    this.#places?.written?.(write);
    this.#money?.written(write);
    if ((write.bucket === JOBS || write.bucket === POLICIES) && write.key !== 'job') return;
    for (const check of this.#checks) check.written?.(write);
    const { evaluations = [], accepted = 0 } = this.#facts.record ?? {};
    if (accepted > this.#accepted) this.#admitted();
    this.#accepted = accepted;
    if (evaluations.some(({ policyVersion }) => policyVersion === this.#config.rounds)) this.#evaluated();
  }

  inserted(table: TableName, rows: Uint8Array): void {
    this.#money?.inserted(table, rows);
    for (const check of this.#checks) check.inserted?.(table, rows);
  }

  /** Resolves when the job's record accepts requests once more after `after` other times: they are sent next. */
  admitted(after: number): Promise<void> {
    return new Promise((resolve) => this.#admissions.push({ left: after, resolve }));
  }

  #admitted(): void {
    for (const admission of this.#admissions) if (admission.left-- === 0) admission.resolve();
  }

  powerLost(): void {
    this.#checkDisk().catch((violation: Violation) => this.fail(violation));
  }

  #checkDisk(): Promise<void> {
    const { files } = this.#world;
    const { checkpoint: recorded, checkpoints: listed = [] } = this.#facts.record ?? {};
    const checked = { files, kinds: this.#kinds, stateDir: STATE_DIR, recorded, listed };
    return checkCheckpoints({ ...checked, saw: (state) => this.saw(state) });
  }

  /** A client was shown the job: what it is shown was so. */
  viewed(job: Job): void {
    this.#checkView(job);
  }

  /** The client that waits for the job has read it: a job without progress must name what it waits for (promise 5). */
  looked(job: Job): void {
    this.#states.looked(job);
    this.viewed(job);
    const { progress } = job;
    const text = `${job.state} ${progress?.round} ${progress?.requests} ${progress?.ledger?.frontier} ${job.evaluations.length}`;
    const now = this.#world.clock.monotonic();
    if (text !== this.#last.text) this.#last = { text, since: now };
    else if (now - this.#last.since > SILENT_MS && job.waitingFor === '')
      this.fail(
        new Violation(
          'waits-are-named',
          `nothing has changed for ${Math.round(now - this.#last.since)} ms, and the job waits for nothing`,
        ),
      );
  }

  /** Another job of the run has ended, whose messages nobody has looked at. */
  otherEnded(job: Job): void {
    checkEnd(job, { rounds: this.#config.rounds, requestsMayFail: true, rowsMayBeLost: true, cancelled: false });
  }

  /** The job has ended: waits for its last rows, then looks at all of them, and at what a loss of power leaves. */
  async jobEnded(job: Job, { cancelled }: { cancelled: boolean }): Promise<void> {
    const { rounds } = this.#config;
    const { faults, plan } = this.#world;
    const mayFail = Object.keys(plan.rates).length > 0 || plan.timed.length > 0 || faults.counts.size > 0;
    checkEnd(job, { rounds, requestsMayFail: mayFail, rowsMayBeLost: this.#facts.rowsLost, cancelled });
    this.#states.ended(job);
    await this.#checkDisk();
    await this.#untilHolds(() => checkStore(job, this.#facts));
    await this.#untilHolds(() => checkHistory(this.#facts));
    await this.#untilHolds(() => this.#money?.checkEnd());
    const mayBeMadeAgain = plan.timed.length > 0 || faults.counts.has('call-failed-done-late');
    await this.#untilHolds(() => checkLeftovers(this.#facts, this.#world.server, mayBeMadeAgain));
    // As at any other moment, the machine may lose power now.
    this.#world.powerLost();
    await this.#checkDisk();
  }

  /** What is to hold once the job has ended may take a while, and longer while things go wrong. */
  async #untilHolds(check: () => void): Promise<void> {
    const { clock, plan } = this.#world;
    for (let waited = 0; ; waited += LOOK_MS) {
      try {
        check();
        return;
      } catch (thrown) {
        const isLate = waited >= LAST_ROWS_MS && clock.monotonic() >= plan.endsAt + LAST_ROWS_MS;
        const mayYetHold =
          thrown instanceof Violation ? thrown.invariant !== 'stored-was-accepted' : MillraceError.from(thrown).retryable;
        if (isLate || !mayYetHold) throw thrown;
      }
      await clock.sleep(LOOK_MS);
    }
  }

  /** A state of `SOMETIMES` was reached. */
  saw(state: Sometimes): void {
    this.#seen.add(state);
  }

  seen(): string[] {
    return [...this.#seen].sort();
  }

  fail(violation: Violation): void {
    this.#break(violation);
  }
}

/** Whether a subject or filter is about the job of the run, or about all jobs. */
function isOfJob(subject: string): boolean {
  const [kind, job = '*'] = subject.split('.');
  return kind === DEAD_LETTER_PREFIX || job === 'job' || job === '*' || job === '>';
}
