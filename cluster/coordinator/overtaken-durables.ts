import type { Bus } from '../../src/bus/bus.ts';
import { EVENTS, GROUPS, ROLLOUTS, SCORED } from '../../src/protocol/names.ts';

/** Streams whose durables hand out work. */
const STREAMS = [ROLLOUTS, GROUPS, SCORED, EVENTS] as const;

/**
 * Deletes the durables that have delivered more than their stream holds. A server that could not write to a full disk may have lost
 * the end of a stream, and counts from an earlier sequence after its restart: such a durable would skip everything published until the
 * count has caught up. Its makers make it again, from the beginning of the stream.
 *
 * @returns their places, `GROUPS/reward`
 */
export async function deleteOvertakenDurables(bus: Bus): Promise<string[]> {
  const deleted: string[] = [];
  for (const stream of STREAMS) {
    const durables = await bus.durables(stream);
    // Read after the durables: what was published meanwhile makes it larger, never smaller.
    const { lastSequence } = await bus.streamState(stream);
    for (const { durable, lastDelivered } of durables) {
      if (lastDelivered <= lastSequence) continue;
      await bus.deleteDurable(stream, durable);
      deleted.push(`${stream}/${durable}`);
    }
  }
  return deleted;
}
