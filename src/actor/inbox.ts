import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { AskReply } from './behaviour.ts';
import { Mailbox } from './mailbox.ts';
import { within } from './within.ts';

/** A message on its way through an {@link Inbox}. */
export interface Letter<M> {
  message: M;
  /** Of an `ask`: told when the message is dropped. */
  dropped?: (error: MillraceError) => void;
}

/** Where an actor's messages arrive: how others send and ask, and how the actor takes one after the other. */
export class Inbox<M> {
  readonly #address: string;
  readonly #clock: Clock;
  readonly #mailbox: Mailbox<Letter<M>>;
  #wake: (() => void) | undefined;

  constructor({ address, clock, capacity }: { address: string; clock: Clock; capacity: number }) {
    this.#address = address;
    this.#clock = clock;
    this.#mailbox = new Mailbox(capacity);
  }

  /** Messages that wait to be taken. */
  get depth(): number {
    return this.#mailbox.depth;
  }

  /** See `ActorRef.tell`. */
  tell(message: M): boolean {
    return this.#sent(this.#mailbox.offer({ message }));
  }

  /** See `ActorRef.send`. */
  async send(message: M, timeoutMs: number): Promise<void> {
    const letter = { message };
    if (this.#sent(this.#mailbox.offer(letter))) return;
    const full = () =>
      new MillraceError(
        'resource_exhausted',
        `the mailbox of ${this.#address} stayed full (${this.#mailbox.capacity}) for ${timeoutMs} ms`,
      );
    await within({ clock: this.#clock, ms: timeoutMs, error: full }, (signal) => this.#mailbox.put(letter, signal));
    this.#sent(true);
  }

  /** See `ActorRef.ask`. */
  async ask<R>(message: (reply: AskReply<R>) => M, timeoutMs: number): Promise<R> {
    const late = () => new MillraceError('deadline_exceeded', `${this.#address} did not answer within ${timeoutMs} ms`);
    return within(
      { clock: this.#clock, ms: timeoutMs, error: late },
      (signal) =>
        new Promise<R>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(MillraceError.from(signal.reason)), { once: true });
          const letter = { message: message({ resolve, reject }), dropped: reject };
          this.#mailbox.put(letter, signal).then(() => this.#sent(true), reject);
        }),
    );
  }

  /** The oldest message; undefined when there is none. */
  take(): Letter<M> | undefined {
    return this.#mailbox.take()?.message;
  }

  /** Puts a message back in front. */
  putBack(letter: Letter<M>): void {
    this.#mailbox.putBack(letter);
  }

  /** Resolves when a message has arrived, or {@link wake} is called. */
  async arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  /** Ends the wait for a message. */
  wake(): void {
    this.#wake?.();
  }

  /** Takes no more: those who wait are refused with `reason`, and what was not taken is dropped. Returns how many those are. */
  close(reason: MillraceError): number {
    const left = this.#mailbox.close(reason);
    for (const letter of left) letter.dropped?.(reason);
    return left.length;
  }

  #sent(taken: boolean): boolean {
    if (taken) this.wake();
    return taken;
  }
}
