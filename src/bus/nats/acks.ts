import { errors } from '@nats-io/nats-core';
import { Disconnected } from './errors.ts';
import type { JetStreamConnection } from './connection.ts';

interface Waiting {
  reply: string;
  sequence: number;
  /** The durable that gave the message out is gone: there is nothing to acknowledge. */
  isOrphan: () => boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

const TIMEOUT_MS = 5000;

/** What {@link Acks} needs to know of its consumer. */
export interface AcksOptions {
  stream: string;
  /** The durable is being looked after: whether a message is an orphan is known when that is over. */
  isRecovering: () => boolean;
  /** Nobody answers for the durable: it may be gone. */
  onSilence: () => void;
}

/**
 * Confirmed acknowledgements of one consumer. Those that are asked for at once (a batch that was stored, a round that was committed) cost
 * one answer: a server takes what comes over a connection in order, so that the answer to the last one says that it has all. When
 * the connection is lost meanwhile all are sent again; an acknowledgement may be repeated. What a durable gave out that was deleted
 * is not acknowledged: one made again under its name would take it for a message of its own.
 */
export class Acks {
  readonly #link: JetStreamConnection;
  readonly #options: AcksOptions;
  #waiting: Waiting[] = [];

  constructor(link: JetStreamConnection, options: AcksOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** Acknowledges the message that came with this reply subject; resolves when the server has confirmed it. */
  confirm(reply: string, sequence: number, isOrphan: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ reply, sequence, isOrphan, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => void this.#send());
    });
  }

  async #send(): Promise<void> {
    const all = this.#waiting;
    this.#waiting = [];
    const last = all.at(-1)!;
    const which = all.length === 1 ? `${last.sequence}` : `${all.length} messages up to ${last.sequence}`;
    try {
      await this.#link.call(`acknowledging ${this.#options.stream} ${which}`, () => this.#attempt(all));
      for (const { resolve } of all) resolve();
    } catch (error) {
      for (const { reject } of all) reject(error as Error);
    }
  }

  async #attempt(all: readonly Waiting[]): Promise<void> {
    const { nc } = this.#link;
    if (this.#options.isRecovering()) throw new Disconnected('the durable is being looked after');
    const open = all.filter(({ isOrphan }) => !isOrphan());
    const last = open.at(-1);
    if (last === undefined) return;
    for (let i = 0; i < open.length - 1; i += 1) nc.publish(open[i]!.reply, '+ACK');
    try {
      await nc.request(last.reply, '+ACK', { timeout: TIMEOUT_MS });
    } catch (thrown) {
      if (isNoResponders(thrown)) this.#options.onSilence();
      throw thrown;
    }
  }
}

function isNoResponders(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return thrown instanceof errors.NoRespondersError || cause instanceof errors.NoRespondersError;
}
