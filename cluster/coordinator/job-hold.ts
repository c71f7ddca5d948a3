import { HELD } from '../../src/protocol/names.ts';
import { Breaker, type Hold } from '../../src/flow/breaker.ts';
import { MillraceError } from '../../src/errors.ts';
import { Purpose } from '../../src/gen/millrace/v1/training_pb.ts';
import type { HoldProgress } from '../../src/protocol/progress.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { SharedLooks } from './shared-looks.ts';
import type { NodeContext } from '../runtime/context.ts';
import { giveUpHeld, heldMessages, returnHeld, type HeldMessage } from '../holds/held-messages.ts';
import { retrySubject } from '../../src/protocol/subjects.ts';
import { ADMISSION_HELD } from '../holds/notice.ts';
import { decodeReport, REPORT_MS, viewOf } from '../holds/reports.ts';

/** A worker that has said nothing for so long is gone, and what waited in it with it. */
const SILENT_MS = 5 * REPORT_MS;
/** A probe that nobody has heard of for so long is not waited for: the next one is sent. */
const PROBE_MS = 60_000;
/** A hold is a notice once it has lasted this long: short waits of a rate limit would be nothing but notices. */
const NOTICE_MS = 5_000;
/** Beyond the time for which a stream drops a message whose id it knows. */
const FORGOTTEN_MS = 130_000;

type Held = Pick<HeldMessage, 'number' | 'retry'> & { requestId: string | undefined; sequence: number | undefined };

/**
 * The breaker of one job: while something that its flow or reward calls does not answer (RetryLater), no requests are admitted. What
 * the workers handed back lies in HELD; when the wait is over one of those messages is returned as a probe, and when it has come through
 * all are. Nothing here needs to survive: HELD says what was refused.
 */
export class JobHold {
  readonly #context: NodeContext;
  readonly #job: string;
  readonly #attempt: () => number;
  readonly #looks: SharedLooks;
  readonly #breaker: Breaker;
  readonly #workers = new Map<string, { waiting: number; hold: Hold | undefined; at: number }>();
  readonly #stop: () => void;
  /** What is in HELD, by its number there. */
  #held = new Map<number, Held>();
  #seen = 0;
  #probe: { number: number; at: number } | undefined;
  /** When the present hold began, and whether it is a notice. */
  #began: number | undefined;
  #noticed: string | undefined;
  /** A coordinator before this one may have reported a hold that was over before this one saw it. */
  #mayBeLeft = true;
  #resendAt: number[] = [];

  /** @param attempt of the job's evaluations, now: held requests of earlier ones are dropped */
  constructor(context: NodeContext, job: string, { attempt, looks }: { attempt: () => number; looks: SharedLooks }) {
    this.#context = context;
    this.#looks = looks;
    this.#job = job;
    this.#attempt = attempt;
    this.#breaker = new Breaker(seededRandom(`hold/${job}`));
    this.#stop = context.bus.listen(retrySubject(job), (data) => this.#hear(data));
  }

  /** What holds the job's requests back; undefined while nothing does. */
  get active(): HoldProgress | undefined {
    const worst = this.#worst();
    if (worst === undefined) return undefined;
    const { clock } = this.#context;
    return { ...viewOf(worst, clock), now: Math.round(clock.now()), held: this.#held.size, waiting: this.#waiting() };
  }

  /** Training requests that lie in HELD: they are not to be sent a second time. */
  holdsSequence(sequence: number): boolean {
    return [...this.#held.values()].some((held) => held.sequence === sequence);
  }

  /** The same for requests of evaluations. */
  holdsRequest(id: string): boolean {
    return [...this.#held.values()].some((held) => held.requestId === id);
  }

  /** Looks what is held, and returns what may go on. While the job is paused nothing is returned. */
  async check(running: boolean): Promise<void> {
    const { log } = this.#context;
    try {
      await this.#refresh();
      if (running) await this.#advance();
    } catch (thrown) {
      log.warn({ err: MillraceError.from(thrown), job: this.#job }, 'held requests could not be read; retrying');
    }
    await this.#announce();
  }

  /** True when held requests were lost, so that all that are open are to be sent again. */
  requestsLost(): boolean {
    const [at = Infinity, ...later] = this.#resendAt;
    if (this.#context.clock.monotonic() < at) return false;
    this.#resendAt = later;
    return true;
  }

  /** The job ends, and with it what held it. */
  async end(): Promise<void> {
    if (this.#noticed !== undefined || this.#mayBeLeft) await this.#context.notices.resolveAll(this.#job, ADMISSION_HELD);
    this.#mayBeLeft = false;
    this.#noticed = undefined;
  }

  close(): void {
    this.#stop();
    this.#context.metrics.set('requests_held', { job: this.#job }, 0);
  }

  #hear(data: Uint8Array): void {
    const report = decodeReport(data);
    const at = this.#context.clock.monotonic();
    if (report.kind === 'waiting') {
      const shift = at - this.#context.clock.now();
      const hold = report.hold && { ...report.hold, since: report.hold.since + shift, until: report.hold.until + shift };
      if (report.waiting > 0) this.#workers.set(report.node, { waiting: report.waiting, hold, at });
      else this.#workers.delete(report.node);
    } else if (report.probe === this.#probe?.number) {
      this.#probe = undefined;
      this.#breaker.close(at);
    }
  }

  #waiting(): number {
    const { clock } = this.#context;
    let waiting = 0;
    for (const [node, worker] of this.#workers) {
      if (clock.monotonic() - worker.at > SILENT_MS) this.#workers.delete(node);
      else waiting += worker.waiting;
    }
    return waiting;
  }

  /** The hold that ends last. */
  #worst(): Readonly<Hold> | undefined {
    this.#waiting();
    const holds = [this.#breaker.hold, ...[...this.#workers.values()].map(({ hold }) => hold)];
    return holds.reduce((worst, hold) => (hold && (!worst || hold.until > worst.until) ? hold : worst), undefined);
  }

  /** Learns what has come into HELD, and what has gone. */
  async #refresh(): Promise<void> {
    const { bus, clock, metrics } = this.#context;
    const { messages, lastSequence } = await this.#looks.held(this.#job, this.#held.size);
    if (messages < this.#held.size || lastSequence < this.#seen) {
      // Somebody has emptied or deleted the stream. The second time is when ROLLOUTS knows the requests' ids no more.
      this.#resendAt = [clock.monotonic(), clock.monotonic() + FORGOTTEN_MS];
      this.#held.clear();
      this.#seen = 0;
    }
    if (messages > 0 && lastSequence > this.#seen) {
      for await (const { number, retry, request, isForeign } of heldMessages(bus, this.#job, this.#seen + 1)) {
        if (isForeign) {
          await giveUpHeld(bus, this.#job, number);
          continue;
        }
        if (request?.purpose === Purpose.EVALUATE && request.attempt !== this.#attempt()) {
          await bus.deleteMessage(HELD, number);
          continue;
        }
        const training = request?.purpose === Purpose.TRAIN;
        this.#held.set(number, {
          number,
          retry,
          requestId: request?.id,
          sequence: training ? Number(request.sequence) : undefined,
        });
        if (retry === undefined) continue;
        this.#probe = undefined;
        this.#breaker.trip(retry, clock.monotonic());
      }
    }
    this.#seen = Math.max(this.#seen, lastSequence);
    metrics.set('requests_held', { job: this.#job }, this.#held.size);
  }

  async #advance(): Promise<void> {
    const { clock } = this.#context;
    // Calls that wait in a worker are tried there; what was handed back follows them.
    if (this.#waiting() > 0) return;
    const { hold } = this.#breaker;
    if (hold === undefined) {
      for (const number of [...this.#held.keys()]) await this.#return(number, false);
      return;
    }
    const now = clock.monotonic();
    if (now < hold.until) return;
    if (this.#probe !== undefined && now - this.#probe.at < PROBE_MS) return;
    const next = [...this.#held.values()].find(({ retry }) => retry !== undefined) ?? this.#held.values().next().value;
    // Nothing to try with: the next request will tell.
    if (next === undefined) this.#breaker.close(now);
    else {
      this.#probe = { number: next.number, at: now };
      await this.#return(next.number, true);
    }
  }

  async #return(number: number, probe: boolean): Promise<void> {
    const { bus, clock } = this.#context;
    await returnHeld({ bus, clock }, this.#job, { number, probe });
    this.#held.delete(number);
  }

  /** A hold that lasts is a notice of the job, until it is over. */
  async #announce(): Promise<void> {
    const { clock, notices } = this.#context;
    const { active } = this;
    const now = clock.monotonic();
    if (active === undefined) {
      this.#began = undefined;
      if (this.#noticed !== undefined) await notices.resolve(this.#job, ADMISSION_HELD, this.#noticed);
      else if (this.#mayBeLeft) await notices.resolveAll(this.#job, ADMISSION_HELD);
      this.#mayBeLeft = false;
      this.#noticed = undefined;
      return;
    }
    this.#began ??= now;
    if (now - this.#began < NOTICE_MS || this.#noticed === active.source) return;
    if (this.#noticed !== undefined) await notices.resolve(this.#job, ADMISSION_HELD, this.#noticed);
    if (this.#mayBeLeft) await notices.resolveAll(this.#job, ADMISSION_HELD);
    this.#mayBeLeft = false;
    this.#noticed = active.source;
    await notices.report(this.#job, {
      code: ADMISSION_HELD,
      subject: active.source,
      message: `${active.source} asked to be called later (${active.reason}): no new requests until it answers again`,
    });
  }
}
