import type { JobConfig } from '../../src/config/job.ts';

/** What one trajectory of the probe used. */
export interface ProbedTrajectory {
  tokensIn: number;
  tokensOut: number;
  /** US dollars, by what calls say and by the prices of cluster.yaml. */
  cost: number;
  /** Of processor and waiting, in this process. */
  seconds: number;
  /** Of a learner with this machine's backend, where its group has a signal. */
  learnerSeconds: number;
  /** Bytes of its rows, as they are sent to the store. */
  rowBytes: number;
}

/** A figure for the whole job, with the range that the spread of the probe leaves (95 %). */
export interface Estimated {
  low: number;
  expected: number;
  high: number;
}

/** What a job will take. */
export interface Estimate {
  /** Trajectories of training; failed and replaced groups, and those that dynamic sampling draws in addition, are not in it. */
  trainingTrajectories: number;
  /** Flows of evaluations and baselines on held-out tasks. */
  evaluationFlows: number;
  tokensIn: Estimated;
  tokensOut: Estimated;
  /** US dollars; all zero where nothing says what a call costs. */
  cost: Estimated;
  /** Whether the flow said what a trajectory cost. */
  costIsMetered: boolean;
  /** Hours of rollout workers, one flow after the other. */
  rolloutHours: Estimated;
  /** Hours of one learner, where every group has a signal: those without one are not computed. */
  learnerHours: Estimated;
  /** Bytes: rows before compression, kept checkpoints, and weights on the bus. */
  diskBytes: Estimated;
  probe: { groups: number; trajectories: number; failed: number };
}

/** What {@link estimateJob} computes from. */
export interface EstimateInput {
  config: JobConfig;
  heldOut: number;
  hasRule: boolean;
  /** Floats of the policy. */
  parameters: number;
  trajectories: readonly ProbedTrajectory[];
  groups: number;
  failed: number;
}

/** Flows of a random baseline for each held-out task. */
const RANDOM_SAMPLES = 8;

/** Flows that evaluations and baselines run. */
function evaluationFlows({ rounds, evaluation }: JobConfig, heldOut: number, hasRule: boolean): number {
  const regular = evaluation.every > 0 ? Math.floor(rounds / evaluation.every) : 0;
  const atEnd = evaluation.every > 0 && rounds % evaluation.every === 0 ? 0 : 1;
  const baselines = evaluation.baselines ? 2 + RANDOM_SAMPLES + (hasRule ? 1 : 0) : 0;
  return heldOut * (regular + atEnd + baselines);
}

/** Scales what the probe used up to the whole job. */
export function estimateJob(input: EstimateInput): Estimate {
  const { config, heldOut, hasRule, parameters, trajectories, groups, failed } = input;
  const trainingTrajectories = config.rounds * config.rollout.groupsPerRound * config.rollout.groupSize;
  const flows = evaluationFlows(config, heldOut, hasRule);
  const all = trainingTrajectories + flows;
  const of = (key: keyof ProbedTrajectory): Estimated =>
    scaled(
      trajectories.map((each) => each[key]),
      all,
    );
  // Weights and two moments, of the checkpoints that are kept and of the versions on the bus.
  const kept = (config.checkpoint.keep + 1 + config.rollout.maxStaleness + 3) * 12 * parameters;
  const rows = of('rowBytes');
  const seconds = of('seconds');
  // Evaluations are not learned from.
  const learning = scaled(
    trajectories.map(({ learnerSeconds }) => learnerSeconds),
    trainingTrajectories,
  );
  return {
    ...{ trainingTrajectories, evaluationFlows: flows },
    ...{ tokensIn: of('tokensIn'), tokensOut: of('tokensOut'), cost: of('cost') },
    costIsMetered: trajectories.some(({ cost }) => cost > 0),
    rolloutHours: mapped(seconds, (value) => value / 3600),
    learnerHours: mapped(learning, (value) => value / 3600),
    diskBytes: mapped(rows, (value) => value + kept),
    probe: { groups, trajectories: trajectories.length, failed },
  };
}

function mapped({ low, expected, high }: Estimated, change: (value: number) => number): Estimated {
  return { low: change(low), expected: change(expected), high: change(high) };
}

/** `count` times the mean, with two standard errors of it to each side. */
function scaled(values: readonly number[], count: number): Estimated {
  const n = values.length;
  if (n === 0) return { low: 0, expected: 0, high: 0 };
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = n < 2 ? 0 : values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const error = 2 * Math.sqrt(variance / n);
  return { low: Math.max(0, mean - error) * count, expected: mean * count, high: (mean + error) * count };
}
