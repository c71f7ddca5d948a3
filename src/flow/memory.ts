import type { FlowDefinition } from './define.ts';
import { inFlow } from './failure.ts';

/** Most steps of a flow that sets no limit of its own. */
const DEFAULT_MAX_STEPS = 20;

/** The memory a flow starts with. */
export function remember<T, M>(flow: FlowDefinition<T, M>, task: T, context: unknown): M {
  return inFlow('remember', () => flow.remember(task, context));
}

/** How many steps the flow may take on this task. */
export function stepLimit<T, M>(flow: FlowDefinition<T, M>, task: T): number {
  return inFlow('maxSteps', () => {
    const limit = flow.maxSteps?.(task) ?? DEFAULT_MAX_STEPS;
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`must be an integer of at least 1, got ${limit}`);
    return limit;
  });
}
