import type { BusMessage } from '../../src/bus/bus.ts';
import { HandBack, type Retrier } from '../../src/flow/retry-later.ts';
import { RetryGate } from '../../src/flow/retry-gate.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { JobContext } from '../jobs/context.ts';
import { DONE, MOVED, type Settlement } from '../runtime/outcome.ts';
import { holdMessage, probeOf } from './held-messages.ts';
import { encodeReport, REPORT_MS, viewOf } from './reports.ts';
import { retrySubject } from '../../src/protocol/subjects.ts';

/** A call waits in its worker for at most this long; then its group is handed back. */
const PATIENCE_MS = 120_000;

/** Options of {@link WorkerHolds}. */
export interface WorkerHoldsOptions {
  /** Called with the number of messages in hand that only wait: so many more may be taken. */
  onWaiting: (messages: number) => void;
}

/**
 * What a worker does about jobs whose flows or rewards threw RetryLater: their calls wait here for a while, new messages of such a job go
 * to HELD at once, and so do groups whose wait is too long. Other jobs are served as ever.
 */
export class WorkerHolds {
  readonly #context: JobContext;
  readonly #options: WorkerHoldsOptions;
  readonly #gates = new Map<string, RetryGate>();
  /** Messages in hand, by job. */
  readonly #inHand = new Map<string, number>();
  readonly #stops: (() => void)[];
  #closed = false;

  constructor(context: JobContext, options: WorkerHoldsOptions) {
    this.#context = context;
    this.#options = options;
    this.#stops = [
      context.jobs.onChange(({ record }) => {
        if (isEnded(record.state)) this.#forget(record.id);
      }),
      context.clock.every(REPORT_MS, () => {
        for (const [job, gate] of this.#gates) if (gate.waiting > 0) this.#report(job, gate);
      }),
    ];
  }

  /** Where calls of the job wait. */
  gate(job: string): RetryGate {
    let gate = this.#gates.get(job);
    if (gate === undefined) {
      const { clock, id } = this.#context;
      let waited = 0;
      const made = new RetryGate({
        clock,
        random: seededRandom(`${id}/${job}`),
        patienceMs: PATIENCE_MS,
        onChange: () => {
          if (waited > 0 === made.waiting > 0) return;
          waited = made.waiting;
          this.#report(job, made);
          this.#tellWaiting();
        },
      });
      gate = made;
      this.#gates.set(job, gate);
      if (this.#closed) gate.close();
    }
    return gate;
  }

  /**
   * Does the work of one message of a job, which makes its calls through the retrier it is given, or copies the message to HELD where it
   * cannot be done now. Returns what becomes of the message.
   */
  async work(job: string, message: BusMessage, work: (retrier: Retrier | undefined) => Promise<void>): Promise<Settlement> {
    const { bus, clock, jobs, log } = this.#context;
    const gate = this.gate(job);
    const probe = probeOf(message);
    if (gate.isOpen && probe === undefined) {
      await holdMessage({ bus, clock }, job, { message });
      return MOVED;
    }
    this.#inHand.set(job, (this.#inHand.get(job) ?? 0) + 1);
    try {
      // Whatever else this worker has in hand waits for a message that came again.
      await work(message.deliveryCount > 1 ? undefined : gate);
    } catch (thrown) {
      if (!(thrown instanceof HandBack)) throw thrown;
      const { retry } = thrown;
      const entry = await jobs.find(job);
      // Its requests were counted as failed when the job ended.
      if (entry === undefined || isEnded(entry.record.state)) return DONE;
      log.info({ job, ...retry }, 'held until what it calls answers again');
      gate.handedBack();
      await holdMessage({ bus, clock }, job, { message, retry });
      return MOVED;
    } finally {
      const left = (this.#inHand.get(job) ?? 1) - 1;
      if (left > 0) this.#inHand.set(job, left);
      else this.#inHand.delete(job);
      this.#tellWaiting();
    }
    if (probe !== undefined) bus.emit(retrySubject(job), encodeReport({ kind: 'passed', probe }));
    return DONE;
  }

  /** Hands back all that waits now: the worker needs its hands free. */
  flush(): void {
    for (const gate of this.#gates.values()) gate.flush();
  }

  /** Hands back all that waits, now and from now on. */
  stop(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    for (const gate of this.#gates.values()) gate.close();
  }

  #forget(job: string): void {
    this.#gates.get(job)?.close();
    this.#gates.delete(job);
  }

  #tellWaiting(): void {
    let waiting = 0;
    for (const [job, messages] of this.#inHand) if ((this.#gates.get(job)?.waiting ?? 0) > 0) waiting += messages;
    this.#options.onWaiting(waiting);
  }

  #report(job: string, { waiting, hold }: RetryGate): void {
    const { bus, clock, id } = this.#context;
    const view = hold && viewOf(hold, clock);
    bus.emit(retrySubject(job), encodeReport({ kind: 'waiting', node: id, waiting, ...(view && { hold: view }) }));
  }
}
