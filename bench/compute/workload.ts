import { DEFAULT_ALGORITHM, DEFAULT_OPTIMIZER, type AlgorithmConfig, type OptimizerConfig } from '../../src/algo/config.ts';
import { encodeObservation } from '../../src/policy/planner/codec.ts';
import type { Piece } from '../../src/policy/planner/learner/training-step.ts';
import type { ObservedAction, Observation } from '../../src/policy/planner/observation.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { dice } from '../../src/policy/planner/testing.ts';
import type { ComputeCase } from './cases.ts';

/** Open actions of every observation. */
export const ACTIONS = 24;
/** Siblings of a group that decide at the same observation. */
const DECISIONS_PER_OBSERVATION = 2;

/** The loss of every case: the defaults of a job. */
export const ALGORITHM: AlgorithmConfig = DEFAULT_ALGORITHM;
/** The optimiser of every case. Its rate is low, so that thousands of steps on one batch do not run away. */
export const OPTIMIZER: OptimizerConfig = { ...DEFAULT_OPTIMIZER, learningRate: 1e-5, weightDecay: 0.01 };

/** Parameters with no zeros among them, so that a part left out shows in the loss or in a gradient. */
export function startingParameters({ spec }: ComputeCase): Float32Array {
  const { values } = initialParameters(spec);
  const roll = dice(99);
  return values.map((value) => value + (roll(2001) - 1000) / 20_000);
}

/** One batch of the case: always the same for the same case. */
export function workload(from: ComputeCase): Piece {
  const { batch, length, items, spec, texts: textsOf } = from;
  const roll = dice(7 * batch + length);
  const texts = Array.from({ length: batch }, () => {
    return Int32Array.from({ length }, () => 1 + roll(spec.text.buckets - 1));
  });
  const flags = (count: number): number[] => Array.from({ length: count }, () => roll(2));
  const observations = texts.map((_, text): Observation => {
    return {
      text: textsOf === 'observation' ? text : -1,
      flags: flags(spec.features.state),
      items: Array.from({ length: items }, (_, item) => ({
        text: textsOf === 'item' ? roll(batch) : -1,
        // Half of the items stand in the text, as the numbers of a question do.
        at: textsOf === 'observation' && item % 2 === 0 ? roll(length) : -1,
        flags: flags(spec.features.item),
      })),
      actions: actions(from, roll),
    };
  });
  const decisions = observations.flatMap((_, observation) =>
    Array.from({ length: DECISIONS_PER_OBSERVATION }, () => ({
      observation,
      action: roll(ACTIONS),
      oldLogProb: -Math.log(ACTIONS) - 0.1 + roll(100) / 500,
      advantage: (roll(200) - 100) / 70,
      weight: 1 / (1 + roll(6)),
    })),
  );
  return {
    batch: { texts, observations: observations.map((observation) => encodeObservation(observation, spec)) },
    temperature: 1,
    decisions,
  };
}

/** Distinct actions: a few without pointers, half with one, the rest with two where the tools take two. */
function actions({ spec, items }: ComputeCase, roll: (n: number) => number): ObservedAction[] {
  const flags = (): number[] => Array.from({ length: spec.features.action }, () => roll(2));
  const byArity = [0, 1, 2].map((arity) => spec.tools.flatMap((tool, index) => (tool.arity === arity ? [index] : [])));
  const pairs = byArity[2]!.length > 0;
  const wanted = pairs ? [4, 12, 8] : [4, 20, 0];
  const made: ObservedAction[] = [];
  wanted.forEach((count, arity) => {
    const seen = new Set<string>();
    const tools = byArity[arity]!;
    while (seen.size < count) {
      const tool = tools[roll(tools.length)]!;
      const args = Array.from({ length: arity }, () => roll(items));
      const key = [tool, ...args].join();
      if (seen.has(key)) continue;
      seen.add(key);
      made.push({ tool, args, flags: flags() });
    }
  });
  return made;
}
