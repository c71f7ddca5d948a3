import * as tf from '@tensorflow/tfjs-core';
import { accumulate } from '../../../compute/arrays.ts';
import type { Experience } from '../../experience.ts';
import type { PolicyLearner, TokenLoss, TokenOutputs, TokensOf } from '../../kind.ts';
import { parameterCount } from '../../policy.ts';
import { decodePlannerPayload, type PlannerPayload } from '../experience.ts';
import type { PlannerPolicy } from '../planner.ts';
import { segmentLogSoftmax } from '../softmax.ts';
import { backward } from './backward.ts';
import { decisionBatch, type DecisionBatch, type DecisionPiece } from './batch.ts';
import { chosenLogProbs, valuesOf } from './scores.ts';

/** A planner that learns. */
export class PlannerLearner implements PolicyLearner<PlannerPayload> {
  readonly size: number;

  /** @param planner - becomes the learner's: it is disposed of with it */
  constructor(readonly planner: PlannerPolicy) {
    this.size = parameterCount(planner.layout);
  }

  load(values: Float32Array): void {
    this.planner.load(values);
  }

  open(experience: Experience, field: string): PlannerPayload {
    return decodePlannerPayload(experience, field);
  }

  evaluate(tokens: readonly TokensOf<PlannerPayload>[]): TokenOutputs {
    const batch = this.#batch(tokens);
    const { scores, values } = this.planner.evaluate(batch.flat);
    const logProbs = chosenLogProbs(segmentLogSoftmax(scores, batch.flat.actionStart, batch.temperature), batch);
    return values ? { logProbs, values: valuesOf(batch, values) } : { logProbs };
  }

  learn(tokens: readonly TokensOf<PlannerPayload>[], loss: TokenLoss, gradient: Float64Array): void {
    const batch = this.#batch(tokens);
    tf.tidy(() => {
      const gradients = backward(this.planner, batch, loss);
      this.planner.layout.forEach(({ offset }, index) => {
        const of = gradients[index];
        if (of) accumulate(of, gradient, offset);
      });
    });
  }

  dispose(): void {
    this.planner.dispose();
  }

  #batch(tokens: readonly TokensOf<PlannerPayload>[]): DecisionBatch {
    return decisionBatch(this.planner, tokens.map(pieceOf));
  }
}

function pieceOf({ payload, temperature, places, isPart }: TokensOf<PlannerPayload>): DecisionPiece {
  const decisions = places.map((place) => ({ observation: payload.observation[place]!, action: payload.action[place]! }));
  const piece = { batch: payload.batch, temperature, decisions };
  return isPart ? withoutOthers(piece) : piece;
}

/** A piece with only the observations that its decisions refer to. */
function withoutOthers({ batch, temperature, decisions }: DecisionPiece): DecisionPiece {
  const place = new Map<number, number>();
  const observations: Uint8Array[] = [];
  const moved = decisions.map((decision) => {
    let index = place.get(decision.observation);
    if (index === undefined) {
      index = observations.length;
      place.set(decision.observation, index);
      observations.push(batch.observations[decision.observation]!);
    }
    return { ...decision, observation: index };
  });
  return { batch: { texts: batch.texts, observations }, temperature, decisions: moved };
}
