import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { Bus } from './bus.ts';

/** Options of {@link publishWithRoom}. */
export interface RoomOptions {
  /** Dropped by the stream when it was published before. */
  id: string;
  /** See `PublishOptions.content`. */
  content?: string;
  headers?: Record<string, string>;
  clock: Clock;
  /** Ends the wait with the last refusal. */
  signal?: AbortSignal;
  /** Longest wait for room, in ms. Default 10_000. */
  timeoutMs?: number;
  /** Told at every refusal. */
  onRefused?: (error: MillraceError) => void;
}

/** Wait between two tries while the stream is full. */
const ROOM_DELAY_MS = 200;

/**
 * Publishes what was expensive to make: waits for room while the stream is full, so that backpressure does not throw a
 * finished group away. Throws `resource_exhausted` when there is none in time, and what `Bus.publish` throws.
 */
export async function publishWithRoom(bus: Bus, subject: string, data: Uint8Array, options: RoomOptions): Promise<void> {
  const { id, content, headers, clock, signal, timeoutMs = 10_000, onRefused } = options;
  const deadline = clock.monotonic() + timeoutMs;
  for (;;) {
    try {
      await bus.publish(subject, data, { id, ...(content !== undefined && { content }), ...(headers && { headers }) });
      return;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'resource_exhausted') throw error;
      onRefused?.(error);
      if (clock.monotonic() + ROOM_DELAY_MS > deadline || signal?.aborted === true) throw error;
      await clock.sleep(ROOM_DELAY_MS, signal);
    }
  }
}
