import { Purpose, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { JobEvents } from '../jobs/events.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Tool calls of one group that took too long. */
export class ToolTimeouts {
  readonly #counts: Record<string, number> = {};

  count(tool: string): void {
    this.#counts[tool] = (this.#counts[tool] ?? 0) + 1;
  }

  /**
   * Notes an event, if there were any: steps of members that were sampled again are not stored, and `millrace query tools` counts by
   * these events.
   */
  async publish({ bus, clock, id: node, log }: NodeContext, { job, id, purpose }: RolloutRequest): Promise<void> {
    const tools = this.#counts;
    const words = Object.entries(tools).map(([tool, count]) => `${tool} ${count}`);
    if (words.length === 0) return;
    const data = { purpose: purpose === Purpose.EVALUATE ? 'evaluate' : 'train', tools };
    try {
      await new JobEvents(bus, clock, node, job).publish('tool-timeouts', id, `tools timed out: ${words.join(', ')}`, data);
    } catch (error) {
      log.warn({ err: error, request: id, tools }, 'time-outs of tools could not be noted');
    }
  }
}
