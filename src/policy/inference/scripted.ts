import type { Generation } from '../decision.ts';
import { MillraceError } from '../../errors.ts';
import { cannot, type Capability, type Inference } from './inference.ts';

/** Answers in the order in which they are given. A question without a list is one that cannot be asked. */
export interface InferenceScript {
  /** For `decide`: the index of the action that is certain, or the log-probabilities of the open actions. */
  choices?: readonly (number | readonly number[])[];
  /** For `generate`. */
  generations?: readonly Generation[];
  /** For `score`: log-probabilities of the tokens. */
  scores?: readonly (readonly number[])[];
}

/**
 * Inference without a policy, for tests and examples: answers what the script says, in order, whatever is asked about. Rejects with
 * `failed_precondition` when the script has come to its end.
 */
export function scriptedInference(script: InferenceScript): Inference {
  const { choices, generations, scores } = script;
  const can = new Set<Capability>();
  if (choices !== undefined) can.add('decide');
  if (generations !== undefined) can.add('generate');
  if (scores !== undefined) can.add('score');
  const [choice, generation, score] = [reader('decide', choices), reader('generate', generations), reader('score', scores)];
  return {
    can: () => can,
    join: () => () => undefined,
    async decide({ actions }) {
      const next = choice();
      if (typeof next === 'number') return Float32Array.from({ length: actions }, (_, i) => (i === next ? 0 : -Infinity));
      return Float32Array.from(next);
    },
    generate: async () => generation(),
    score: async () => score(),
  };
}

function reader<T>(capability: Capability, answers: readonly T[] | undefined): () => T {
  let read = 0;
  return () => {
    if (answers === undefined) throw cannot(capability, 'this script');
    if (read < answers.length) return answers[read++]!;
    throw new MillraceError('failed_precondition', `the script has no answer number ${read + 1} to ${capability}`, {
      field: capability,
    });
  };
}
