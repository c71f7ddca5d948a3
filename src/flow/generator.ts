import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';

/** What the flow leaves behind for the reward actor, as JSON text. */
export function generate<M>(flow: Pick<FlowDefinition<any, M>, 'answer'>, memory: M): string {
  // JSON.stringify gives undefined for what JSON cannot hold, whatever its type says.
  const json = inFlow('answer', () => JSON.stringify(flow.answer(memory)) as string | undefined);
  if (json === undefined) throw flowCrash('answer', 'must return something that JSON can hold (null for nothing)');
  return json;
}
