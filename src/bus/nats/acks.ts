import type { Link } from './link.ts';

interface Waiting {
  reply: string;
  sequence: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

const TIMEOUT_MS = 5000;

/**
 * Confirmed acknowledgements of one consumer. Those that are asked for at once (a batch that was stored, a round that was committed) cost
 * one answer: a server takes what comes over a connection in order, so that the answer to the last one says that it has all. When
 * the connection is lost meanwhile all are sent again; an acknowledgement may be repeated.
 */
export class Acks {
  readonly #link: Link;
  readonly #stream: string;
  #waiting: Waiting[] = [];

  constructor(link: Link, stream: string) {
    this.#link = link;
    this.#stream = stream;
  }

  /** Acknowledges the message that came with this reply subject; resolves when the server has confirmed it. */
  confirm(reply: string, sequence: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ reply, sequence, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => void this.#send());
    });
  }

  async #send(): Promise<void> {
    const all = this.#waiting;
    this.#waiting = [];
    const last = all.at(-1)!;
    const which = all.length === 1 ? `${last.sequence}` : `${all.length} messages up to ${last.sequence}`;
    const { nc } = this.#link;
    try {
      await this.#link.call(`acknowledging ${this.#stream} ${which}`, () => {
        for (let i = 0; i < all.length - 1; i += 1) nc.publish(all[i]!.reply, '+ACK');
        return nc.request(last.reply, '+ACK', { timeout: TIMEOUT_MS });
      });
      for (const { resolve } of all) resolve();
    } catch (error) {
      for (const { reject } of all) reject(error as Error);
    }
  }
}
