import { MillraceError } from '../errors.ts';
import type { Link } from './link.ts';

/**
 * Both ends of a link inside one process. Messages are handed over by reference, one microtask later, in order: no real time
 * passes and the order of everything is the same in every run.
 */
export function memoryLinkPair<A, B>(): [Link<A, B>, Link<B, A>] {
  const left = new MemoryLink<A, B>();
  const right = new MemoryLink<B, A>();
  left.other = right;
  right.other = left;
  return [left, right];
}

class MemoryLink<In, Out> implements Link<In, Out> {
  other!: MemoryLink<Out, In>;
  readonly closed: Promise<void>;
  error: MillraceError | undefined;
  #finish!: () => void;
  #handler: ((message: In) => void) | undefined;
  #waiting: In[] = [];
  /** The other side closed; this side closes when everything that waits has been handled. */
  #ending = false;
  #done = false;

  constructor() {
    this.closed = new Promise((resolve) => (this.#finish = resolve));
  }

  async send(message: Out): Promise<void> {
    if (this.#done) throw new MillraceError('unavailable', 'The link is closed; connect again.', { cause: this.error });
    queueMicrotask(() => this.other.#receive(message));
    // One turn for the receiver: resolves after the message has been handed over.
    await Promise.resolve();
  }

  onMessage(handler: (message: In) => void): void {
    if (this.#handler) throw new MillraceError('failed_precondition', 'The link has a handler already.');
    this.#handler = handler;
    queueMicrotask(() => this.#deliver());
  }

  close(): void {
    this.#close(undefined);
  }

  #receive(message: In): void {
    if (this.#done) return;
    this.#waiting.push(message);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#handler && this.#waiting.length > 0 && !this.#done) {
      const message = this.#waiting.shift() as In;
      try {
        this.#handler(message);
      } catch (thrown) {
        this.#close(MillraceError.from(thrown));
      }
    }
    if (this.#ending && this.#waiting.length === 0) this.#close(undefined);
  }

  #close(error: MillraceError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.error = error;
    this.#waiting = [];
    this.#finish();
    queueMicrotask(() => {
      const other = this.other;
      if (error && !other.#done) return other.#close(error);
      other.#ending = true;
      other.#deliver();
    });
  }
}
