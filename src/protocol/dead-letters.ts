import { DEAD_LETTERS } from './durables.ts';
import type { Bus } from '../bus/bus.ts';
import { deadLetterOf } from '../bus/dead-letter.ts';
import type { DeadLetter } from '../bus/dead-letter.ts';

export type { DeadLetter } from '../bus/dead-letter.ts';

/** Options of {@link startDeadLetters}. */
export interface DeadLettersOptions {
  /** Durable on the DLQ to read through: listeners of one name share the letters, others get their own. Default `dead-letters`. */
  durable?: string;
  /** Letters told of at the same time. Default 16. */
  maxInFlight?: number;
  /** Hears what `onDead` threw; the letter comes again. */
  onError?: (thrown: unknown) => void;
}

/** A running listener. */
export interface DeadLetters {
  /** Waits for what is being told, then ends. */
  stop(): Promise<void>;
}

/**
 * Tells of every letter in the DLQ: messages their handler gave up with `term`, and messages that were delivered
 * `maxDeliver` times (reason {@link MAX_DELIVERIES}). They come through a durable, so at least once each, also those from
 * before somebody listened; a letter comes again when `onDead` throws, say because it is for another node.
 */
export async function startDeadLetters(
  bus: Bus,
  onDead: (letter: DeadLetter) => void | Promise<void>,
  options: DeadLettersOptions = {},
): Promise<DeadLetters> {
  const { durable = DEAD_LETTERS.durable, maxInFlight = 16, onError } = options;
  const consumer = await bus.consume(
    { ...DEAD_LETTERS, durable, maxDeliver: -1, maxInFlight, ...(onError && { onConflict: onError }) },
    async (message) => {
      try {
        await onDead(deadLetterOf(message));
      } catch (thrown) {
        onError?.(thrown);
        throw thrown;
      }
      await message.ack();
    },
  );
  return { stop: () => consumer.stop() };
}
