import type { Clock } from '../clock/clock.ts';
import { nextTurn } from '../clock/turn.ts';
import { MillraceError } from '../errors.ts';
import type { Random } from '../random/random.ts';
import type { ActorContext, ActorRef, ActorState, ActorStatus, Behaviour, AskReply } from './behaviour.ts';
import { Inbox, type Letter } from './inbox.ts';
import { isPermanent, RestartBudget, type Supervision } from './supervision.ts';
import { rejection, within } from './within.ts';

/** What an actor reports to its node; pino loggers fit. */
export interface ActorLog {
  warn(details: Record<string, unknown>, message: string): void;
  error(details: Record<string, unknown>, message: string): void;
}

/** What {@link Actor} is made of. */
export interface ActorParts<M> {
  address: string;
  /** Made anew at each start when it is a function, so that a restart begins with fresh state. */
  behaviour: Behaviour<M> | (() => Behaviour<M>);
  capacity: number;
  supervision: Supervision;
  clock: Clock;
  random: Random;
  log: ActorLog;
  /** Called before each restart, with what was thrown. */
  restarting?: ((error: MillraceError, waitMs: number) => void) | undefined;
  /** Called once when the actor has ended; `error` when the supervisor gave up. */
  ended(error?: MillraceError): void;
}

/** Messages handled in a row before the event loop gets a turn: nothing else may starve, heartbeats least of all. */
const FAIR_SHARE = 128;

/** One actor: a mailbox and the loop that hands its messages to the behaviour, one at a time and in order. */
export class Actor<M> implements ActorRef<M>, ActorContext<M> {
  readonly address: string;
  readonly clock: Clock;
  readonly #parts: ActorParts<M>;
  readonly #inbox: Inbox<M>;
  readonly #budget: RestartBudget;
  readonly #abort = new AbortController();
  readonly ended: Promise<void>;
  #state: ActorState = 'starting';
  #waitingFor = '';
  #restarts = 0;
  #messages = 0;
  #handling = false;
  #lastError = '';
  #stopping = false;

  constructor(parts: ActorParts<M>) {
    this.address = parts.address;
    this.clock = parts.clock;
    this.#parts = parts;
    this.#inbox = new Inbox(parts);
    this.#budget = new RestartBudget(parts.supervision, parts.random);
    this.ended = this.#live();
  }

  get self(): ActorRef<M> {
    return this;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  waitingFor(text: string): void {
    this.#waitingFor = text;
  }

  tell(message: M): boolean {
    return this.#inbox.tell(message);
  }

  send(message: M, timeoutMs = 30_000): Promise<void> {
    return this.#inbox.send(message, timeoutMs);
  }

  ask<R>(message: (reply: AskReply<R>) => M, timeoutMs = 30_000): Promise<R> {
    return this.#inbox.ask(message, timeoutMs);
  }

  async stop(timeoutMs = 5000): Promise<void> {
    if (!this.#stopping && this.#state !== 'failed' && this.#state !== 'stopped') {
      this.#stopping = true;
      this.#state = 'stopping';
      this.#abort.abort(new MillraceError('cancelled', `${this.address} was stopped`));
      this.#close(new MillraceError('unavailable', `${this.address} was stopped`));
      this.#inbox.wake();
    }
    const late = () => new MillraceError('deadline_exceeded', `${this.address} did not stop within ${timeoutMs} ms`);
    await within({ clock: this.clock, ms: timeoutMs, error: late }, (signal) =>
      Promise.race([this.ended, rejection(signal)]),
    ).catch((error: unknown) => this.#parts.log.error({ err: error, actor: this.address }, 'actor still runs'));
  }

  status(): ActorStatus {
    return {
      address: this.address,
      state: this.#state,
      mailboxDepth: this.#inbox.depth,
      restarts: this.#restarts,
      waitingFor: this.#waitingFor,
      messages: this.#messages,
      inFlight: this.#handling ? 1 : 0,
      lastError: this.#lastError,
    };
  }

  /** Start, handle, restart … until stopped or given up. Never rejects. */
  async #live(): Promise<void> {
    // Whoever spawns has the reference before `start` runs.
    await Promise.resolve();
    let error: MillraceError | undefined;
    while (!this.#stopping && error === undefined) {
      const behaviour = made(this.#parts.behaviour);
      const failure = await this.#run(behaviour);
      await this.#stopBehaviour(behaviour);
      if (failure !== undefined && !this.#stopping) error = await this.#backOff(failure);
    }
    this.#waitingFor = '';
    this.#state = error === undefined ? 'stopped' : 'failed';
    if (error !== undefined) {
      this.#abort.abort(error);
      this.#close(new MillraceError('unavailable', `${this.address} has failed: ${error.message}`, { cause: error }));
    }
    this.#report(() => this.#parts.ended(error));
  }

  /** Tells whoever spawned the actor; what that throws is not the actor's. */
  #report(tell: () => void): void {
    try {
      tell();
    } catch (thrown) {
      this.#parts.log.error({ err: MillraceError.from(thrown), actor: this.address }, 'a callback of the actor threw');
    }
  }

  /** One life of the behaviour. Returns what was thrown, or undefined when it was stopped. */
  async #run(behaviour: Behaviour<M>): Promise<unknown> {
    let letter: Letter<M> | undefined;
    try {
      this.#enter('starting');
      await behaviour.start?.(this);
      for (;;) {
        letter = await this.#next();
        if (letter === undefined) return undefined;
        this.#enter('busy');
        this.#messages += 1;
        this.#handling = true;
        await behaviour.receive(letter.message, this);
        this.#handling = false;
        this.#lastError = '';
        letter = undefined;
        if (this.#messages % FAIR_SHARE === 0) await nextTurn();
      }
    } catch (thrown) {
      if (letter !== undefined) this.#failedMessage(letter, thrown);
      return thrown ?? new MillraceError('internal', 'threw nothing');
    } finally {
      this.#handling = false;
    }
  }

  #enter(state: ActorState): void {
    if (this.#stopping) return;
    this.#state = state;
    this.#waitingFor = '';
  }

  /** The next message, or undefined when the actor is to stop. */
  async #next(): Promise<Letter<M> | undefined> {
    for (;;) {
      if (this.#stopping) return undefined;
      const letter = this.#inbox.take();
      if (letter !== undefined) return letter;
      // What `start` said that it waits for stays until there is a message.
      if (this.#state !== 'starting' || this.#waitingFor === '') this.#enter('idle');
      else this.#state = 'idle';
      await this.#inbox.arrival();
    }
  }

  #failedMessage(letter: Letter<M>, thrown: unknown): void {
    const error = MillraceError.from(thrown);
    if (this.#parts.supervision.failedMessage === 'retry' && !this.#stopping) {
      this.#inbox.putBack(letter);
      return;
    }
    letter.dropped?.(new MillraceError('unavailable', `${this.address} dropped the message: ${error.message}`, { cause: error }));
    this.#parts.log.warn({ err: error, actor: this.address }, 'message dropped: its handling failed');
  }

  /** Waits before the next start. Returns the error to end with when the supervisor gives up. */
  async #backOff(thrown: unknown): Promise<MillraceError | undefined> {
    const error = MillraceError.from(thrown);
    this.#lastError = error.message;
    const wait = isPermanent(error) ? undefined : this.#budget.next(this.clock.monotonic());
    if (wait === undefined) {
      this.#parts.log.error({ err: error, actor: this.address, restarts: this.#restarts }, 'actor given up');
      return error;
    }
    this.#enter('restarting');
    this.#waitingFor = `restart in ${Math.round(wait)} ms after: ${error.message}`;
    this.#parts.log.warn({ err: error, actor: this.address, waitMs: Math.round(wait) }, 'actor restarts');
    this.#report(() => this.#parts.restarting?.(error, wait));
    await this.clock.sleep(wait, this.signal).catch(() => undefined);
    if (!this.#stopping) this.#restarts += 1;
    return undefined;
  }

  async #stopBehaviour(behaviour: Behaviour<M>): Promise<void> {
    try {
      await behaviour.stop?.(this);
    } catch (error) {
      this.#parts.log.warn({ err: MillraceError.from(error), actor: this.address }, 'stop of an actor failed');
    }
  }

  #close(reason: MillraceError): void {
    const messages = this.#inbox.close(reason);
    if (messages > 0) this.#parts.log.warn({ actor: this.address, messages }, 'messages dropped: the actor ended');
  }
}

/** The behaviour of a new life; one that cannot be made fails at its start. */
function made<M>(behaviour: ActorParts<M>['behaviour']): Behaviour<M> {
  if (typeof behaviour !== 'function') return behaviour;
  try {
    return behaviour();
  } catch (error) {
    return { start: () => Promise.reject(MillraceError.from(error)), receive: () => undefined };
  }
}
