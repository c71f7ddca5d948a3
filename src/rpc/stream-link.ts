import { MillraceError } from '../errors.ts';
import type { Link } from './link.ts';

/** One end of a bidirectional stream, as either side of src/rpc has it. */
export interface LinkStream<In, Out> {
  readonly messages: AsyncIterable<In>;
  send(message: Out): Promise<void>;
}

/** Options of {@link StreamLink}. */
export interface StreamLinkOptions {
  /**
   * Ends our half of the stream. With it, `closed` waits until the other side has ended its half too; without it (server
   * side, where the handler's return ends the stream) `closed` resolves at once.
   */
  end?: () => void;
}

/** A {@link Link} over a bidirectional stream. */
export class StreamLink<In, Out> implements Link<In, Out> {
  readonly closed: Promise<void>;
  error: MillraceError | undefined;
  readonly #stream: LinkStream<In, Out>;
  readonly #end: (() => void) | undefined;
  #finish!: () => void;
  #handler: ((message: In) => void) | undefined;
  #handlerSet!: () => void;
  #closing = false;
  #done = false;

  constructor(stream: LinkStream<In, Out>, options: StreamLinkOptions = {}) {
    this.#stream = stream;
    this.#end = options.end;
    this.closed = new Promise((resolve) => (this.#finish = resolve));
    const ready = new Promise<void>((resolve) => (this.#handlerSet = resolve));
    this.#pump(ready).then(
      () => this.#over(undefined),
      (thrown: unknown) => this.#over(MillraceError.from(thrown)),
    );
  }

  async send(message: Out): Promise<void> {
    if (this.#closing) throw closedError(this.error);
    try {
      await this.#stream.send(message);
    } catch (thrown) {
      throw closedError(MillraceError.from(thrown));
    }
  }

  onMessage(handler: (message: In) => void): void {
    if (this.#handler) throw new MillraceError('failed_precondition', 'The link has a handler already.');
    this.#handler = handler;
    this.#handlerSet();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#handlerSet();
    if (this.#end) this.#end();
    else this.#over(undefined);
  }

  /** Closes at once because of an error; nothing happens when the link is closed already. */
  fail(error: MillraceError): void {
    this.#over(error);
  }

  async #pump(ready: Promise<void>): Promise<void> {
    for await (const message of this.#stream.messages) {
      await ready;
      // After close() what still arrives is read and dropped, so that the stream can end.
      if (!this.#closing) this.#handler?.(message);
      if (this.#done) return;
    }
  }

  #over(error: MillraceError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    // An orderly close that the other side answers by dropping the stream is still an orderly close.
    if (!this.#closing) this.error = error;
    this.#closing = true;
    this.#handlerSet();
    this.#finish();
  }
}

function closedError(cause: MillraceError | undefined): MillraceError {
  return new MillraceError('unavailable', 'The link is closed; connect again.', { cause });
}
