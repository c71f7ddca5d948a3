import type { Readable } from 'node:stream';
import { MillraceError } from '../errors.ts';

/** The part of a grpc-js stream, on either side, that a writer needs. */
export interface WritableCall<T> {
  write(message: T): boolean;
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

/**
 * Writes one message and waits until the stream has room again, so that a slow reader slows the writer down instead of
 * filling the memory. Rejects with the reason of `signal`, which must abort when the stream is over.
 */
export async function writeWithDrain<T>(call: WritableCall<T>, message: T, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw closedError(signal);
  if (call.write(message)) return;
  await new Promise<void>((resolve, reject) => {
    const onDrain = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    const onAbort = (): void => {
      call.off('drain', onDrain);
      reject(closedError(signal));
    };
    call.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function closedError(signal: AbortSignal): MillraceError {
  return MillraceError.from(signal.reason, 'cancelled');
}

/**
 * What arrives on a grpc-js stream. Leaving the loop, also at the end, does not destroy the stream as `for await` over the
 * stream itself would: the other half still has a status to send or to receive.
 */
export async function* readCall<T>(call: unknown): AsyncGenerator<T> {
  const messages = (call as Readable).iterator({ destroyOnReturn: false }) as AsyncIterable<T>;
  for await (const message of messages) yield message;
}
