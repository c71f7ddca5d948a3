import { seededRandom } from '../random/seeded.ts';
import { goesOn, type Halving } from './halving.ts';
import { trajectoriesTo, type Measurement, type Objective, type RungScore } from './objective.ts';
import { drawValues, contains, keyOf, latinHypercube, mapSpace, type Space, type Values } from './space.ts';
import type { TrialScore } from './trial-score.ts';
import { fidelityOf, suggest } from './suggest.ts';

/** A search as it was asked for. */
export interface SearchPlan {
  space: Space;
  objective: Objective;
  /** Trials in all. */
  trials: number;
  /** Trials before the model is asked: the job's own values where the space has them, then a Latin hypercube. */
  initial: number;
  seed: number;
  /** A search without halving has one rung. */
  halving: Halving;
}

/**
 * How a trial ended: `done` at the last rung, `reached` what it was after before that, `stopped` among the losers of a rung,
 * `failed` with its job.
 */
export type TrialState = 'done' | 'reached' | 'stopped' | 'failed';

/** One trial that has ended. */
export interface Trial {
  /** Counted from 1. */
  number: number;
  /** Id of its job. */
  job: string;
  values: Values;
  state: TrialState;
  /** Committed rounds. */
  rounds: number;
  seconds: number;
  measurements: readonly Measurement[];
  scores: readonly RungScore[];
  /** Why it failed. */
  error?: string;
}

/** Failed trials without any other that end a search. */
export const MAX_FAILURES = 3;

/**
 * Values of the next trial; undefined when the space is used up. The same plan and trials always give the same: each trial
 * draws from a generator of its own.
 *
 * @param own - the job's own values by path
 * @param feasible - whether values go together as a job
 */
export function nextValues(
  plan: SearchPlan,
  trials: readonly Trial[],
  own: Readonly<Record<string, unknown>>,
  feasible: (values: Values) => boolean,
): Values | undefined {
  const { space, seed } = plan;
  const random = seededRandom(seed).fork(`trial/${trials.length}`);
  const tried = trials.map(({ values }) => values);
  const observations = observationsOf(plan, trials);
  if (trials.length < plan.initial || observations.length === 0) {
    const first = initialValues(plan, own)[trials.length];
    if (first !== undefined && feasible(first) && !wasTried(space, tried, first)) return first;
    for (let i = 0; i < 2000; i += 1) {
      const drawn = drawValues(space, random);
      if (feasible(drawn) && !wasTried(space, tried, drawn)) return drawn;
    }
    return undefined;
  }
  return suggest({ space, observations, tried, random, feasible });
}

/** The trials that do not depend on any other. */
export function initialValues(plan: SearchPlan, own: Readonly<Record<string, unknown>>): Values[] {
  const { space, seed, initial } = plan;
  const starts = Object.entries(space).every(([path, parameter]) => contains(parameter, own[path]));
  const random = seededRandom(seed).fork('latin-hypercube');
  if (!starts) return latinHypercube(space, initial, random);
  return [mapSpace(space, (_, path) => own[path] as Values[string]), ...latinHypercube(space, initial - 1, random)];
}

function wasTried(space: Space, tried: readonly Values[], values: Values): boolean {
  const key = keyOf(space, values);
  return tried.some((other) => keyOf(space, other) === key);
}

/**
 * What the model is told. A failed trial counts as the worst that was seen, so that the search keeps away; while nothing was
 * seen, nothing is told.
 */
export function observationsOf(plan: SearchPlan, trials: readonly Trial[]): TrialScore[] {
  const rungs = plan.halving.rounds;
  const seen = trials.flatMap(({ values, scores }) =>
    scores.map(({ round, score }) => ({ values, score, fidelity: fidelityOf(round, rungs) })),
  );
  if (seen.length === 0) return [];
  const worst = Math.min(...seen.map(({ score }) => score));
  const failed = trials.filter(({ state, scores }) => state === 'failed' && scores.length === 0);
  return [...seen, ...failed.map(({ values }) => ({ values, fidelity: 1, score: worst }))];
}

/** Whether a trial that has these scores goes on from its newest rung, held against the trials before it. */
export function shouldContinueTrial(plan: SearchPlan, trials: readonly Trial[], scores: readonly RungScore[]): boolean {
  const { rounds, keep } = plan.halving;
  const newest = scores.at(-1);
  if (newest === undefined || newest.round === rounds.at(-1)) return true;
  const others = trials.flatMap((trial) => trial.scores.filter(({ round }) => round === newest.round));
  return goesOn(
    newest.score,
    others.map(({ score }) => score),
    keep,
  );
}

/** The best trial: of those that came furthest, the one with the best score there; the first of equals. */
export function bestTrial(trials: readonly Trial[]): Trial | undefined {
  const last = (trial: Trial): RungScore => trial.scores.at(-1) ?? { round: 0, score: -Infinity };
  return trials
    .filter(({ scores }) => scores.length > 0)
    .reduce<Trial | undefined>((best, trial) => {
      if (best === undefined) return trial;
      const [a, b] = [last(trial), last(best)];
      return a.round > b.round || (a.round === b.round && a.score > b.score) ? trial : best;
    }, undefined);
}

/** What people see: held-out success at the newest evaluation, or the trajectories it took; undefined when it did not get there. */
export function objectiveOf(objective: Objective, { measurements }: Pick<Trial, 'measurements'>): number | undefined {
  return objective.kind === 'held-out-success' ? measurements.at(-1)?.success : trajectoriesTo(objective.target, measurements);
}

/** Trials in a row at the end of the list that failed. */
export function failuresInARow(trials: readonly Trial[]): number {
  const lastGood = trials.findLastIndex(({ state }) => state !== 'failed');
  return trials.length - 1 - lastGood;
}
