/** Specifications and situations that tests of policies and learners share. */
import { encodeObservation, tokensToBytes } from './codec.ts';
import type { Experience } from '../experience.ts';
import type { Observation } from './observation.ts';
import { decodePlannerPayload, plannerExperience, type PlannerExperienceParts } from './experience.ts';
import { initialParameters } from './layout.ts';
import type { LearnerGroup } from '../policy.ts';
import type { ObservationBatch } from './observation-policy.ts';
import type { PlannerSpec } from './spec.ts';

/** Uniform integers from a seed. */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** A small planner with tools of all arities. */
export function smallSpec(encoder: PlannerSpec['text']['encoder'] = 'bag', changes: Partial<PlannerSpec> = {}): PlannerSpec {
  return {
    kind: 'planner',
    tools: [
      { name: 'stop', arity: 0 },
      { name: 'look', arity: 1 },
      { name: 'swap', arity: 2 },
      { name: 'ask', arity: 0 },
      { name: 'drop', arity: 1 },
    ],
    features: { state: 2, item: 3, action: 2 },
    text: { buckets: 50, embed: 6, encoder, width: 8, layers: 2, maxLength: 12 },
    hidden: 7,
    seed: 11,
    ...changes,
  };
}

/** Parameters far enough from the initial ones that every path matters. */
export function livelyParameters(spec: PlannerSpec): Float32Array {
  const { values } = initialParameters(spec);
  const roll = dice(99);
  return values.map((value) => value + (roll(2001) - 1000) / 2500);
}

/** A random situation over `texts` texts with `length` tokens each. */
export function situation(spec: PlannerSpec, texts: number, length: number, roll: (n: number) => number): Observation {
  const flags = (count: number): number[] => Array.from({ length: count }, () => [0, 1, 0.25, -2][roll(4)]!);
  const items = Array.from({ length: roll(4) }, () => ({
    text: roll(texts + 1) - 1,
    at: roll(length + 1) - 1,
    flags: flags(spec.features.item),
  }));
  const open = spec.tools.flatMap(({ arity }, tool) => (arity === 0 || items.length > 0 ? [tool] : []));
  const actions = Array.from({ length: 1 + roll(9) }, () => {
    const tool = open[roll(open.length)]!;
    const args = Array.from({ length: spec.tools[tool]!.arity }, () => roll(items.length));
    return { tool, args, flags: flags(spec.features.action) };
  });
  return { text: roll(texts + 1) - 1, flags: flags(spec.features.state), items, actions };
}

/** A batch of random situations; some occur twice. */
export function randomBatch(spec: PlannerSpec, count: number, seed: number): ObservationBatch & { situations: Observation[] } {
  const roll = dice(seed);
  const texts = Array.from({ length: 4 }, () => Int32Array.from({ length: 1 + roll(8) }, () => 1 + roll(spec.text.buckets - 1)));
  const situations: Observation[] = [];
  for (let i = 0; i < count; i++) {
    situations.push(i > 2 && roll(4) === 0 ? situations[roll(i)]! : situation(spec, texts.length, 8, roll));
  }
  return { texts, situations, observations: situations.map((observation) => encodeObservation(observation, spec)) };
}

/** A group of random decisions whose log-probabilities are near those of a uniform policy. */
export function randomGroup(spec: PlannerSpec, seed: number, trajectories = 4): LearnerGroup {
  const roll = dice(seed);
  const { texts, observations, situations } = randomBatch(spec, 8, seed);
  const decisions = Array.from({ length: trajectories }, () => {
    const observation = Array.from({ length: 1 + roll(4) }, () => roll(observations.length));
    const action = observation.map((index) => roll(situations[index]!.actions.length));
    const logProbability = observation.map((index) => -Math.log(situations[index]!.actions.length) - 0.1 + roll(100) / 500);
    return { observation, action, logProbability };
  });
  return {
    experience: plannerExperience({
      texts: texts.map(tokensToBytes),
      observations: [...observations],
      decisions,
      temperature: 0.8,
    }),
    advantages: decisions.map(() => (roll(200) - 100) / 70),
    valid: decisions.map(() => true),
  };
}

/** What a planner's experience was made of. */
export function plannerParts(experience: Experience): PlannerExperienceParts & { decisions: PlannerColumns[] } {
  const { batch, observation, action } = decodePlannerPayload(experience, 'experience');
  let at = 0;
  const decisions = experience.trajectoryLengths.map((length): PlannerColumns => {
    const own = (column: readonly number[]): number[] => column.slice(at, at + length);
    const columns = {
      observation: own(observation),
      action: own(action),
      logProbability: own(experience.logProbabilities),
    };
    at += length;
    return columns;
  });
  return {
    texts: batch.texts.map(tokensToBytes),
    observations: [...batch.observations],
    decisions,
    temperature: experience.temperature,
  };
}

/** Decisions of one trajectory, to be changed by a test. */
interface PlannerColumns {
  observation: number[];
  action: number[];
  logProbability: number[];
}
