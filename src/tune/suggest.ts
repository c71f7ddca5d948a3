import type { TrialScore } from './trial-score.ts';
import type { Random } from '../random/random.ts';
import { expectedImprovement } from './expected-improvement.ts';
import { fitGaussianProcess } from './length-scales.ts';
import { rungGains } from './rung-gains.ts';
import { combinations, drawValues, encode, keyOf, mapSpace, shareOf, valueAt, type Space, type Values } from './space.ts';

/** What {@link suggest} decides by. */
export interface SuggestOptions {
  space: Space;
  /** At least one. */
  observations: readonly TrialScore[];
  /** What was tried already; it is not suggested again. */
  tried: readonly Values[];
  random: Random;
  /** Values that go together; default: all do. */
  feasible?: (values: Values) => boolean;
}

/** Candidates drawn from the whole space, and around each of the best points. */
const ANYWHERE = 600;
const NEARBY = 60;
const CENTRES = 3;
/** Steps around a good point, in widths of the space: half of the candidates each. */
const STEPS = [0.15, 0.04];
/** Draws in search of values that go together before the space counts as used up. */
const MAX_DRAWS = 2000;

/** The model's work grows with the cube of what it is told: 150 observations take a second or two. */
export const MAX_OBSERVATIONS = 150;

/** At most {@link MAX_OBSERVATIONS}: the furthest rung of each trial before any other. */
function mostTelling(space: Space, observations: readonly TrialScore[]): readonly TrialScore[] {
  if (observations.length <= MAX_OBSERVATIONS) return observations;
  const furthest = new Map<string, TrialScore>();
  for (const observation of observations) {
    const key = keyOf(space, observation.values);
    const known = furthest.get(key);
    if (known === undefined || observation.fidelity > known.fidelity) furthest.set(key, observation);
  }
  const first = new Set(furthest.values());
  return [...first, ...observations.filter((observation) => !first.has(observation))].slice(0, MAX_OBSERVATIONS);
}

/** Where a rung lies between the first (0) and the last (1): training goes by the logarithm of its rounds. */
export function fidelityOf(round: number, rungs: readonly number[]): number {
  const [first, last] = [rungs[0]!, rungs.at(-1)!];
  return first === last ? 1 : Math.log(round / first) / Math.log(last / first);
}

/**
 * The values with the greatest expected improvement in a whole trial. All rungs are observations of one function: a score at a
 * rung counts with what trials gain from there to the end on the average, and how far a trial was trained is one more coordinate,
 * so that what an early score says of the end is learned too.
 * Undefined when nothing is left to try.
 */
export function suggest(options: SuggestOptions): Values | undefined {
  const { space, tried, random } = options;
  const observations = mostTelling(space, options.observations);
  const candidates = candidatesOf(options);
  if (candidates.length === 0) return undefined;
  const withFidelity = observations.some(({ fidelity }) => fidelity !== 1);
  const point = (values: Values, fidelity: number): number[] => [
    ...encode(space, values).point,
    ...(withFidelity ? [fidelity] : []),
  ];
  const { groups } = encode(space, candidates[0]!);
  const gains = rungGains(space, observations);
  const process = fitGaussianProcess(
    observations.map(({ values, fidelity }) => point(values, fidelity)),
    observations.map(({ score, fidelity }) => score + gains.get(fidelity)!),
    withFidelity ? [...groups, Object.keys(space).length] : groups,
  );
  // Measurements are noisy: the best so far is the best of what is believed of the trials, not the luckiest measurement.
  const measured = tried.length > 0 ? tried : observations.map(({ values }) => values);
  const best = Math.max(...process.predict(measured.map((values) => point(values, 1))).mean);
  const { mean, variance } = process.predict(candidates.map((values) => point(values, 1)));
  const improvements = candidates.map((_, i) => expectedImprovement(mean[i]!, Math.sqrt(variance[i]!), best));
  const most = Math.max(...improvements);
  // No improvement is to be expected anywhere: look where least is known.
  if (!(most > 0)) return candidates[argmax(variance)] ?? drawValues(space, random);
  return candidates[argmax(improvements)];
}

/** Values to choose from: drawn evenly, and near the trials that scored best; none that was tried, none twice. */
function candidatesOf({ space, observations, tried, random, feasible = () => true }: SuggestOptions): Values[] {
  const seen = new Set(tried.map((values) => keyOf(space, values)));
  const candidates: Values[] = [];
  const offer = (values: Values): void => {
    const key = keyOf(space, values);
    if (seen.has(key)) return;
    seen.add(key);
    if (feasible(values)) candidates.push(values);
  };
  if (tried.length >= combinations(space)) return [];
  for (let i = 0; i < MAX_DRAWS && candidates.length < ANYWHERE; i += 1) offer(drawValues(space, random));
  const centres = [...observations].sort((a, b) => b.fidelity - a.fidelity || b.score - a.score).slice(0, CENTRES);
  for (const { values } of centres) {
    for (let i = 0; i < NEARBY; i += 1) {
      const step = STEPS[i % STEPS.length]!;
      offer(
        mapSpace(space, (parameter, path) => {
          const unordered = parameter.kind === 'choices' && parameter.choices.some((choice) => typeof choice !== 'number');
          if (unordered) return random.uniform() < 0.8 ? values[path]! : valueAt(parameter, random.uniform());
          return valueAt(parameter, shareOf(parameter, values[path]!) + step * random.normal());
        }),
      );
    }
  }
  return candidates;
}

function argmax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
