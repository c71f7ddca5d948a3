import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';

/** Longest answer, as JSON: it travels in one message with those of its siblings. */
export const MAX_ANSWER = 65_536;

/** What the flow leaves behind for the reward actor, as JSON text. */
export function generate<M>(flow: Pick<FlowDefinition<any, M>, 'answer'>, memory: M): string {
  // JSON.stringify gives undefined for what JSON cannot hold, whatever its type says.
  const json = inFlow('answer', () => JSON.stringify(flow.answer(memory)) as string | undefined);
  if (json === undefined) throw flowCrash('answer', 'must return something that JSON can hold (null for nothing)');
  if (json.length > MAX_ANSWER)
    throw flowCrash(
      'answer',
      `is ${json.length} characters of JSON, at most ${MAX_ANSWER} can travel: return what the reward needs, not the whole memory`,
    );
  return json;
}
