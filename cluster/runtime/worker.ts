import type { WorkerStatus } from '../../src/actor/behaviour.ts';
import type { BusMessage, Consumer } from '../../src/bus/bus.ts';
import { retryDelayMs } from '../../src/bus/callback.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Durable } from '../../src/protocol/durables.ts';
import type { NodeContext } from './context.ts';
import { Delivery } from './delivery.ts';
import { startIntake, type Intake, type SuspectOptions } from './intake.ts';
import { refuse, type Settlement } from './outcome.ts';

/** What a {@link Worker} works with. */
export type WorkerContext = Pick<NodeContext, 'bus' | 'clock' | 'log' | 'metrics' | 'actors'>;

/** What a {@link Worker} does. */
export interface WorkerOptions<T> {
  /** Where it is listed: `<node>/<role>/<name>`. Absent for one that belongs to an actor, which reports for both. */
  listedAs?: { role: string; name: string };
  /** Where its messages come from, and how many, of how many bytes, it has in hand at once (`maxInFlight`, `maxBytesInFlight`). */
  durable: Durable;
  /** What its messages are, e.g. `TrajectoryGroup`: one that cannot be read goes to the DLQ as "not a TrajectoryGroup: …". */
  expects: string;
  /** Reads a message. What it throws sends the message to the DLQ. */
  decode(message: BusMessage): T;
  /**
   * Does the work of one message and says what becomes of it. What it throws is an infrastructure failure: the message is
   * delivered again, 250 ms later after the first delivery and twice as long after each further one, up to 30 s, and goes to
   * the DLQ after `durable.maxDeliver` deliveries.
   */
  handle(value: T, delivery: Delivery): Promise<Settlement>;
  /** For work that may kill its process: a message that was delivered before runs alone. Default: it runs like any other. */
  suspects?: SuspectOptions;
  /**
   * Takes no more once this is aborted, as after `stop(1000)`. For a worker that belongs to an actor: what the actor is at may last, and
   * until it has ended the messages would be kept from whoever has its work now.
   */
  until?: AbortSignal;
}

/** What a worker whose time is over gives the messages in hand, in ms. */
const LAST_MS = 1000;

/**
 * Takes messages from a durable: reads each, has it handled, and settles it as its handler says. A message is held until then:
 * one whose worker dies is delivered again, and while it is in hand the bus is told so at a third of the ack wait. As many are in
 * hand as the limits allow; the rest waits in the stream, which pushes back on those who publish.
 */
export class Worker<T> {
  readonly #context: WorkerContext;
  readonly #options: WorkerOptions<T>;
  readonly #draining = new AbortController();
  #state: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting';
  #source: Intake | Consumer | undefined;
  /** Messages in hand that only wait for something. */
  #waiting = 0;
  #conflict = '';
  #lastError = '';
  #messages = 0;
  #refused = 0;
  #unlist = (): void => {};
  #stopped: Promise<void> | undefined;
  /** What fails here, fails again in the `stop` of the owner. */
  readonly #onOver = (): void => void this.stop(LAST_MS).catch(() => undefined);

  constructor(context: WorkerContext, options: WorkerOptions<T>) {
    this.#context = context;
    this.#options = options;
  }

  /** Begins to take messages. Throws what `Bus.consume` does. */
  async start(): Promise<this> {
    const { listedAs } = this.#options;
    if (listedAs) this.#unlist = this.#context.actors.enlist(listedAs.role, listedAs.name, () => this.status());
    try {
      this.#source = await this.#consume();
    } catch (error) {
      this.#unlist();
      throw error;
    }
    this.#state = 'running';
    // Messages may have come, and wait for something, before it could be told.
    this.extend(this.#waiting);
    const { until } = this.#options;
    if (until?.aborted) this.#onOver();
    else until?.addEventListener('abort', this.#onOver, { once: true });
    return this;
  }

  /** Messages in hand: given out and not settled. */
  get inFlight(): number {
    return this.#source?.inFlight ?? 0;
  }

  /** Messages that went to the DLQ. */
  get refused(): number {
    return this.#refused;
  }

  status(): WorkerStatus {
    const { inFlight } = this;
    const busy = inFlight > this.#waiting ? 'busy' : 'idle';
    return {
      state: this.#state === 'running' ? busy : this.#state,
      inFlight,
      messages: this.#messages,
      lastError: this.#lastError,
      waitingFor: this.#waitsFor(inFlight),
    };
  }

  /** So many of the messages in hand only wait for something: as many more are taken. Has an effect with `suspects` only. */
  extend(messages: number): void {
    this.#waiting = messages;
    if (this.#source && 'extend' in this.#source) this.#source.extend(messages);
  }

  /** Takes no more, waits for what is in hand for at most `timeoutMs` (default 5000), hands back what is left. */
  async stop(timeoutMs = 5000): Promise<void> {
    if (this.#state === 'running') this.#stopped = this.#stop(timeoutMs);
    await this.#stopped;
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#state = 'stopping';
    this.#options.until?.removeEventListener('abort', this.#onOver);
    this.#draining.abort();
    await this.#source?.stop(timeoutMs);
    this.#state = 'stopped';
    this.#unlist();
  }

  #consume(): Promise<Intake | Consumer> {
    const { durable, suspects } = this.#options;
    const onConflict = (error: MillraceError): void => {
      this.#conflict = error.message;
      this.#context.log.error({ err: error }, 'no work is taken until the durable is mended');
    };
    const take = (message: BusMessage): Promise<void> => this.#take(message);
    const consuming = { ...durable, onConflict };
    if (suspects) return startIntake(this.#context, consuming, { ...suspects, work: take });
    return this.#context.bus.consume(consuming, take);
  }

  async #take(message: BusMessage): Promise<void> {
    this.#conflict = '';
    const { bus, log } = this.#context;
    const onSettled = (outcome: Settlement): void => this.#settled(outcome, message);
    const delivery = new Delivery(message, { bus, log, draining: this.#draining.signal, onSettled });
    let value: T;
    try {
      value = this.#options.decode(message);
    } catch (error) {
      await delivery.settle(refuse(`not a ${this.#options.expects}: ${MillraceError.from(error).message}`));
      return;
    }
    try {
      await delivery.settle(await this.#options.handle(value, delivery));
    } catch (thrown) {
      this.#failed(MillraceError.from(thrown), message);
    }
  }

  #settled(outcome: Settlement, { id, subject }: BusMessage): void {
    this.#messages += 1;
    this.#context.metrics.count('worker_messages_total', { durable: this.#options.durable.durable, outcome: outcome.kind });
    if (outcome.kind !== 'refused') {
      this.#lastError = '';
      return;
    }
    this.#refused += 1;
    this.#lastError = outcome.reason;
    this.#context.log.error({ id, subject, reason: outcome.reason }, 'a message goes to the DLQ');
  }

  #failed(error: MillraceError, message: BusMessage): void {
    const { id, subject, deliveryCount } = message;
    this.#messages += 1;
    this.#lastError = error.message;
    this.#context.metrics.count('worker_messages_total', { durable: this.#options.durable.durable, outcome: 'failed' });
    this.#context.log.warn({ err: error, id, subject, delivery: deliveryCount }, 'a message is handed back to its stream');
    message.nak(retryDelayMs(deliveryCount));
  }

  #waitsFor(inFlight: number): string {
    const { stream, durable } = this.#options.durable;
    if (this.#conflict !== '') return `durable ${durable} of ${stream} to be mended: ${this.#conflict}`;
    if (this.#waiting > 0) return `services that ${this.#waiting} of its ${inFlight} messages call`;
    return this.#state === 'running' && inFlight === 0 ? `messages of ${stream}` : '';
  }
}
