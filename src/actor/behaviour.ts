import type { Clock } from '../clock/clock.ts';
import type { MillraceError } from '../errors.ts';

/** What an actor does. Never called twice at the same time. */
export interface Behaviour<M> {
  /** Before the first message, and again after every restart. */
  start?(context: ActorContext<M>): void | Promise<void>;
  /** One message; the next one waits until this has ended. A throw goes to the supervisor. */
  receive(message: M, context: ActorContext<M>): void | Promise<void>;
  /** At the end, before every restart and after giving up. What it throws is logged. */
  stop?(context: ActorContext<M>): void | Promise<void>;
}

/** What an actor knows of itself. */
export interface ActorContext<M> {
  readonly self: ActorRef<M>;
  readonly clock: Clock;
  /** Aborts when the actor is asked to stop or has given up: pass it to everything that waits. */
  readonly signal: AbortSignal;
  /** Says what the actor waits for, in words, until the present message is done; '' for nothing. Shown by `list()`. */
  waitingFor(text: string): void;
}

/** The handle of an actor. */
export interface ActorRef<M> {
  /** `<node>/<role>/<name>` */
  readonly address: string;
  /** Puts a message into the mailbox. False when it is full or the actor has ended: the message is not taken. */
  tell(message: M): boolean;
  /**
   * Puts a message into the mailbox, waiting for room (in order of the calls) at most `timeoutMs`, default 30_000.
   * Throws `resource_exhausted` after that time, `unavailable` when the actor ends first.
   */
  send(message: M, timeoutMs?: number): Promise<void>;
  /**
   * Sends a message that carries a way to answer and waits for the answer at most `timeoutMs` in all, default 30_000
   * (`deadline_exceeded`). `unavailable` when the actor ends or drops the message because its handling failed.
   */
  ask<R>(message: (reply: AskReply<R>) => M, timeoutMs?: number): Promise<R>;
  /**
   * Ends the actor after the message in hand; messages that wait are dropped. Resolves when it has stopped, or after
   * `timeoutMs` (default 5000) with a line in the log when the message in hand does not end. An actor may stop itself, but
   * must not await it: its own message is the one in hand.
   */
  stop(timeoutMs?: number): Promise<void>;
  /** Resolves when the actor has ended, however long the message in hand takes. */
  readonly ended: Promise<void>;
  status(): ActorStatus;
}

/** How an actor answers an `ask`. Only the first call counts. */
export interface AskReply<R> {
  resolve(value: R): void;
  reject(error: MillraceError): void;
}

/**
 * - `starting`: `start` runs
 * - `idle`: no message
 * - `busy`: a message is being handled
 * - `restarting`: it threw and waits before it is started again
 * - `stopping`: asked to end, the message in hand still runs
 * - `stopped`, `failed`: it has ended, by request or because the supervisor gave up
 */
export type ActorState = 'starting' | 'idle' | 'busy' | 'restarting' | 'stopping' | 'stopped' | 'failed';

/** A line of `ActorSystem.list()`. */
export interface ActorStatus {
  address: string;
  state: ActorState;
  /** Messages in the mailbox; senders that wait for room are not counted. */
  mailboxDepth: number;
  restarts: number;
  waitingFor: string;
  /** Messages handled, failed ones included. */
  messages: number;
  /** Messages taken and not settled. */
  inFlight: number;
  /** What the last failure was; '' when none was, or a message was handled since. */
  lastError: string;
}

/** What something without a mailbox reports of itself: its messages come from a durable or a stream. */
export type WorkerStatus = Omit<ActorStatus, 'address' | 'mailboxDepth' | 'restarts'>;
