import { rolloutSubject } from '../../src/protocol/subjects.ts';
import { toBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import { RolloutRequestSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { requestContent } from '../../src/jobs/requests.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Wait between two tries while ROLLOUTS is full. */
const FULL_DELAY_MS = 200;
/** Requests on their way to the queue at once. */
const AT_ONCE = 16;

/** What a {@link RequestSender} tells. */
export interface SenderEvents {
  /** A request is in the queue. */
  onSent: () => void;
  /** The queue refused a request: how long the sender has waited for room there. */
  onFull: (waitedMs: number) => void;
}

/** Sends a job's requests to the queue, and waits for room there for as long as the job runs. */
export class RequestSender {
  readonly #context: NodeContext;
  readonly #job: string;
  readonly #on: SenderEvents;

  constructor(context: NodeContext, job: string, on: SenderEvents) {
    this.#context = context;
    this.#job = job;
    this.#on = on;
  }

  /**
   * In order, but without a round trip for each. False when the job was paused or has ended before all were sent: those that are left
   * are to be sent when it goes on. An item that `make` makes nothing of is left out. Throws what the bus throws, and the signal's reason.
   */
  async sendAll<T>(items: readonly T[], make: (item: T) => RolloutRequest | undefined, signal: AbortSignal): Promise<boolean> {
    for (let at = 0; at < items.length; at += AT_ONCE) {
      if (!this.#runs()) return false;
      const sent = await Promise.all(items.slice(at, at + AT_ONCE).map((item) => this.#send(make(item), signal)));
      if (sent.includes(false)) return false;
    }
    return true;
  }

  #runs(): boolean {
    return this.#context.jobs.get(this.#job)?.record.state === 'RUNNING';
  }

  async #send(request: RolloutRequest | undefined, signal: AbortSignal): Promise<boolean> {
    if (request === undefined) return true;
    const { bus, clock, log, metrics } = this.#context;
    const bytes = toBinary(RolloutRequestSchema, request);
    const same = { id: request.id, content: requestContent(request) };
    const begun = clock.monotonic();
    for (;;) {
      signal.throwIfAborted();
      try {
        await bus.publish(rolloutSubject(this.#job), bytes, same);
        this.#on.onSent();
        metrics.count('requests_total', { job: this.#job, purpose: request.evaluation === '' ? 'train' : 'evaluate' });
        return true;
      } catch (thrown) {
        if (MillraceError.from(thrown).code !== 'resource_exhausted') throw thrown;
        metrics.count('requests_refused_total', { job: this.#job });
        log.warn({ job: this.#job, request: request.id }, 'ROLLOUTS is full: rollout workers are behind; waiting for space');
        this.#on.onFull(clock.monotonic() - begun);
        await clock.sleep(FULL_DELAY_MS, signal);
        if (!this.#runs()) return false;
      }
    }
  }
}
