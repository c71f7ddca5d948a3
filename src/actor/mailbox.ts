import { MillraceError } from '../errors.ts';

interface Waiting<M> {
  message: M;
  resolve(): void;
  reject(error: MillraceError): void;
}

/** A bounded first-in-first-out queue with senders that wait for room, in the order of their calls. */
export class Mailbox<M> {
  readonly capacity: number;
  #queue: M[] = [];
  /** Index of the first message: shifting a long array each time would be quadratic. */
  #head = 0;
  readonly #waiting = new Set<Waiting<M>>();
  #closed: MillraceError | undefined;

  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new MillraceError('invalid_argument', `mailboxCapacity must be a whole number of at least 1, not ${capacity}`, {
        field: 'mailboxCapacity',
      });
    }
    this.capacity = capacity;
  }

  get depth(): number {
    return this.#queue.length - this.#head;
  }

  /** Takes the message if there is room now and nobody waits for it. */
  offer(message: M): boolean {
    if (this.#closed !== undefined || this.depth >= this.capacity || this.#waiting.size > 0) return false;
    this.#queue.push(message);
    return true;
  }

  /** Takes the message when there is room. Rejects with the signal's reason, or with the mailbox's when it is closed first. */
  put(message: M, signal: AbortSignal): Promise<void> {
    if (this.offer(message)) return Promise.resolve();
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal.aborted) return Promise.reject(MillraceError.from(signal.reason));
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(entry);
        reject(MillraceError.from(signal.reason));
      };
      const entry: Waiting<M> = {
        message,
        resolve: () => {
          signal.removeEventListener('abort', abort);
          resolve();
        },
        reject: (error) => {
          signal.removeEventListener('abort', abort);
          reject(error);
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.add(entry);
    });
  }

  /** The oldest message; a waiting sender's message moves up into the room it leaves. */
  take(): { message: M } | undefined {
    if (this.depth === 0) return undefined;
    const message = this.#queue[this.#head] as M;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    for (const entry of this.#waiting) {
      if (this.depth >= this.capacity) break;
      this.#waiting.delete(entry);
      this.#queue.push(entry.message);
      entry.resolve();
    }
    return { message };
  }

  /** Puts a message back in front; may exceed the capacity by this one. */
  putBack(message: M): void {
    this.#queue = [message, ...this.#queue.slice(this.#head)];
    this.#head = 0;
  }

  /** Takes no more; waiting senders are refused with `reason`. Returns the messages that were not handled. */
  close(reason: MillraceError): M[] {
    this.#closed = reason;
    const left = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
    for (const entry of this.#waiting) entry.reject(reason);
    this.#waiting.clear();
    return left;
  }
}
