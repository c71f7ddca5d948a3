import type { FlowDefinition } from './define.ts';
import { flowCrash, inFlow } from './failure.ts';
import { copyAsJson } from './json.ts';

/** Longest answer, as JSON: it travels in one message with those of its siblings. */
const MAX_ANSWER = 65_536;

/** What the flow leaves behind for the reward actor, as JSON text. */
export function generate<M>(flow: Pick<FlowDefinition<any, M>, 'answer'>, memory: M): string {
  const answer = inFlow('answer', () => flow.answer(memory));
  if (answer === undefined) throw flowCrash('answer', 'must return something that JSON can hold (null for nothing)');
  // A model may have been cut off inside a character: JSON keeps such a text as it is.
  const copy = copyAsJson(answer, { loneSurrogates: true });
  if ('problem' in copy) throw flowCrash('answer', `must return something that JSON can hold: ${copy.path}: ${copy.problem}`);
  const { json } = copy;
  if (json.length > MAX_ANSWER)
    throw flowCrash(
      'answer',
      `is ${json.length} characters of JSON, at most ${MAX_ANSWER} can travel: return what the reward needs, not the whole memory`,
    );
  return json;
}
