/** From scores of actions to what is said about decisions, and from derivatives of that back to derivatives of scores. */
import type { LossDerivatives, LossInputs } from '../../kind.ts';
import { segmentLogSoftmax } from '../softmax.ts';
import type { DecisionBatch } from './batch.ts';

/** Log-probabilities of all actions, and what a loss sees of them. */
export interface Decided extends LossInputs {
  /** Of all open actions of the batch. */
  all: Float32Array;
  /** One entropy per flat observation. */
  byObservation: Float64Array;
}

/** Log-probabilities and entropies of decisions under softmax(scores / temperature), and the values of their observations. */
export function decided(batch: DecisionBatch, scores: Float32Array, values: Float32Array | undefined): Decided {
  const { flat, temperature, observation } = batch;
  const all = segmentLogSoftmax(scores, flat.actionStart, temperature);
  const byObservation = segmentEntropies(all, flat.actionStart);
  return {
    all,
    byObservation,
    logProbs: chosenLogProbs(all, batch),
    entropies: Float64Array.from(observation, (o) => byObservation[o]!),
    ...(values && { values: valuesOf(batch, values) }),
  };
}

/** Log-probabilities of the chosen actions, from those of all. */
export function chosenLogProbs(all: Float32Array, { flat, observation, action }: DecisionBatch): Float64Array {
  const chosen = new Float64Array(observation.length);
  for (let d = 0; d < chosen.length; d++) chosen[d] = all[flat.actionStart[observation[d]!]! + action[d]!]!;
  return chosen;
}

/** The values of the decisions' observations. */
export function valuesOf({ observation }: DecisionBatch, values: Float32Array): Float64Array {
  return Float64Array.from(observation, (o) => values[o]!);
}

/**
 * Derivative with respect to the score of every open action. With p = softmax(scores / temperature) and its entropy H,
 * d log p_a / d s_j = ([j = a] - p_j) / temperature and dH / d s_j = -p_j (log p_j + H) / temperature.
 */
export function scoreDerivatives(
  { flat: { actionStart: start }, temperature, observation, action }: DecisionBatch,
  { all, byObservation }: Decided,
  { logProbs, entropies }: LossDerivatives,
): Float32Array {
  // Decisions at the same observation share its softmax: collect their weights first, then touch each action once.
  const pull = new Float64Array(start.length - 1);
  const bonus = new Float64Array(start.length - 1);
  const derivative = new Float64Array(all.length);
  for (let d = 0; d < observation.length; d++) {
    const o = observation[d]!;
    const flow = logProbs[d]!;
    derivative[start[o]! + action[d]!]! += flow;
    pull[o]! += flow;
    bonus[o]! -= entropies[d]!;
  }
  const result = new Float32Array(all.length);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) {
      const p = Math.exp(all[j]!);
      const value = derivative[j]! - p * pull[o]! + bonus[o]! * p * (all[j]! + byObservation[o]!);
      result[j] = value / temperature[o]!;
    }
  }
  return result;
}

/** Derivative with respect to the value of every flat observation. */
export function valueDerivatives({ flat, observation }: DecisionBatch, { values }: LossDerivatives): Float32Array {
  const result = new Float32Array(flat.observations);
  if (values !== undefined) observation.forEach((o, d) => (result[o]! += values[d]!));
  return result;
}

function segmentEntropies(logProbs: Float32Array, start: Int32Array): Float64Array {
  const entropies = new Float64Array(start.length - 1);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) entropies[o]! -= Math.exp(logProbs[j]!) * logProbs[j]!;
  }
  return entropies;
}
