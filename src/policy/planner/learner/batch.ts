/** Lays the decisions of a planner's groups side by side. */
import { MillraceError } from '../../../errors.ts';
import type { FlatBatch } from '../flatten.ts';
import type { ObservationBatch } from '../observation-policy.ts';
import type { PlannerPolicy } from '../planner.ts';

/** Decisions of one group, or a part of them, with what they refer to. */
export interface DecisionPiece {
  batch: ObservationBatch;
  temperature: number;
  decisions: readonly {
    /** Index into `batch.observations`. */
    observation: number;
    /** Index of the chosen action among the observation's open actions. */
    action: number;
  }[];
}

/** Everything a gradient needs, decoded and laid side by side: what follows is tensor work alone. */
export interface DecisionBatch {
  flat: FlatBatch;
  /** One temperature per flat observation. */
  temperature: Float64Array;
  /** Index of the flat observation of each decision. */
  observation: Int32Array;
  /** Index of its action among the observation's open ones. */
  action: Int32Array;
}

/** Decodes and flattens pieces. `invalid_argument` when a decision chose an action its observation does not have. */
export function decisionBatch(policy: Pick<PlannerPolicy, 'flatten'>, pieces: readonly DecisionPiece[]): DecisionBatch {
  const flat = policy.flatten(pieces.map(({ batch }) => batch));
  const temperature = new Float64Array(flat.observations);
  pieces.forEach((piece, index) => flat.indices[index]!.forEach((o) => (temperature[o] = piece.temperature)));
  const n = pieces.reduce((sum, { decisions }) => sum + decisions.length, 0);
  const observation = new Int32Array(n);
  const action = new Int32Array(n);
  let d = 0;
  pieces.forEach(({ decisions }, index) => {
    for (const decision of decisions) {
      const o = flat.indices[index]![decision.observation]!;
      const open = flat.actionStart[o + 1]! - flat.actionStart[o]!;
      if (decision.action >= open) {
        throw new MillraceError(
          'invalid_argument',
          `a decision chose action ${decision.action}, but its observation has ${open} open`,
        );
      }
      observation[d] = o;
      action[d++] = decision.action;
    }
  });
  return { flat, temperature, observation, action };
}
