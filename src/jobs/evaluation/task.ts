import type { Score } from '../../gen/millrace/v1/training_pb.ts';

/** One task's part of an evaluation. */
export interface EvaluatedTask {
  taskId: string;
  /** What kind of task it is; default '': the flow does not tell. */
  type?: string;
  /** One per flow, in index order. Flows without a valid score failed for infrastructure reasons. */
  flows: readonly EvaluatedFlow[];
}

/** One flow of an evaluation. */
export interface EvaluatedFlow {
  valid: boolean;
  success: boolean;
  reward: number;
  steps: number;
  /** Steps whose call was answered with an error. Default 0. */
  toolErrors?: number;
  /** Tokens read and written. Default 0. */
  tokens?: number;
  /** Millionths of a US dollar. Default 0. */
  microDollars?: number;
  /** Class of failure of a flow that is not valid, e.g. `REWARD_FAILED`. */
  failure?: string;
}

/** What an evaluation counts of the score of a flow. */
export function evaluatedFlow({ valid, success, reward, steps, toolErrors, tokens, microDollars }: Score): EvaluatedFlow {
  return { valid, success, reward, steps, toolErrors, tokens: Number(tokens), microDollars: Number(microDollars) };
}
