import type { MillraceError } from '../errors.ts';

/**
 * Two-way message link between two parties. `In` is what arrives here, `Out` what is sent from here.
 *
 * Order is kept in both directions and nothing is lost while the link is open. Messages that arrive before a handler is set
 * wait for it. A message belongs to the link once it was given to {@link Link.send}: the sender must not change it any more.
 * Every implementation passes the suite in link-conformance.ts.
 */
export interface Link<In, Out> {
  /**
   * Resolves when the link has taken the message and there is room for another. Rejects with `unavailable` once the link has
   * closed, from either side.
   */
  send(message: Out): Promise<void>;
  /** Sets the one handler; call it once. A handler that throws closes the link with that error. */
  onMessage(handler: (message: In) => void): void;
  /** Resolves when the link is gone for whatever reason; never rejects. */
  readonly closed: Promise<void>;
  /** Why the link closed: undefined while it is open and after an orderly close by either side. */
  readonly error: MillraceError | undefined;
  /**
   * Closes in order: the other side still gets what was sent before (when it has no handler yet, its end stays open until it
   * has one); the handler of this side is not called any more. Closing twice changes nothing.
   */
  close(): void;
}
