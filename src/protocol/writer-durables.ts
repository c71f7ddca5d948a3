import type { Bus } from '../bus/bus.ts';
import { WRITER_CALLS, WRITER_EVENTS, WRITER_SCORED } from './durables.ts';

/** Makes the writer's durables. Call before the first publish: SCORED and CALLS keep messages only for durables they know. */
export async function ensureWriterDurables(bus: Bus): Promise<void> {
  await bus.ensureDurable(WRITER_SCORED);
  await bus.ensureDurable(WRITER_EVENTS);
  await bus.ensureDurable(WRITER_CALLS);
}

/** Scored groups that wait to be written: on their way to a writer, held by one, or with none there to take them. */
export async function writerBacklog(bus: Bus): Promise<number> {
  const state = await bus.durableState(WRITER_SCORED.stream, WRITER_SCORED.durable);
  return state === undefined ? 0 : state.pending + state.ackPending;
}
