/**
 * `millrace/math`: what training computes, as plain functions. Numbers and arrays of numbers in, new arrays of numbers out, arguments
 * checked (docs/algorithms.md, Functions).
 */

/** Training methods: what `algorithm:` of a job names, and the pure functions that it is made of (docs/algorithms.md). */
export { algorithmSchema, criticOf, methodOf, METHODS } from './algo/registry.ts';
export { parseAlgorithm } from './config/algorithm.ts';
export { DEFAULT_ALGORITHM } from './algo/config.ts';
export type { AlgorithmConfig, StdKind } from './algo/config.ts';
export type { GroupRewards, LossColumns, LossResult, Method, RoundAdvantages, RoundGroup, RoundNeeds } from './algo/method.ts';

/** Advantages and credit assignment. */
export {
  broadcast,
  discounted,
  drGrpoAdvantages,
  generalizedAdvantages,
  grpoAdvantages,
  hasSignal,
  leaveOneOutReturnsToGo,
  positivePart,
  potentialShaping,
  reinforcePlusPlusAdvantages,
  returnsToGo,
  rlooAdvantages,
  vtrace,
  whiten,
  whitenGroups,
} from './algo/functions/advantages.ts';
export type { ValidOptions } from './algo/functions/advantages.ts';
export type { AdvantageOptions } from './algo/grpo/advantages.ts';
export type { ReinforcePlusPlusOptions } from './algo/reinforce-plus-plus/advantages.ts';
export type { WhitenOptions } from './algo/credit/whiten.ts';
export type { VtraceOptions } from './algo/vtrace/vtrace.ts';

/** Losses, with their derivatives. */
export {
  clippedSurrogate,
  decoupledLoss,
  entropyBonus,
  gvpoLoss,
  klEstimate,
  sequenceSurrogate,
  surrogateLoss,
  truncatedLoss,
  valueLoss,
} from './algo/functions/losses.ts';
export type { ClipOptions, PenalisedOptions } from './algo/functions/losses.ts';
export type { ValueLossOptions } from './algo/value/loss.ts';
export type { KlEstimator } from './algo/kl/estimators.ts';

/** Corrections and aggregation. */
export { aggregate, correctionWeights, decisionWeights, proximalWeights, weighDecisions } from './algo/functions/weights.ts';
export type { CorrectionOptions } from './algo/correction/weights.ts';
export type { Aggregation } from './algo/aggregation/weights.ts';

/** The optimiser. */
export { adamWStep, clipGradient, globalNorm, learningRateAt } from './algo/functions/optimizer.ts';
export type { AdamWOptions } from './algo/optim/adamw.ts';

/** Exploration, curriculum and search. */
export {
  bestProbabilities,
  betaCdf,
  bounds,
  mixTools,
  mixUniform,
  nextMultiplier,
  penalise,
  posteriorMean,
  prunedTools,
  sarsaValues,
  signalProbability,
  taskProbabilities,
  temperatureAt,
  wilson,
} from './explore/functions.ts';
export type { Outcomes } from './explore/beta.ts';
export { dynamicSampling } from './algo/dapo/dynamic-sampling.ts';
export type { Draws, Unsuitable } from './algo/dapo/dynamic-sampling.ts';
export { expectedImprovement } from './tune/expected-improvement.ts';

/** Statistics of evaluations: intervals, and comparisons of two policies on the same tasks. */
export { comparePaired } from './algo/stats/comparison.ts';
export type { PairedComparison } from './algo/stats/comparison.ts';
export { clopperPearson, meanInterval, pairedDifferenceInterval, ratioInterval, studentQuantile } from './algo/stats/interval.ts';
export type { Interval, PairedCounts } from './algo/stats/interval.ts';
export { mcNemar, signFlip } from './algo/stats/paired.ts';
export { passAtK } from './algo/stats/pass-at-k.ts';
export { eValue, sequentialTest } from './algo/stats/sequential.ts';
export type { Discordant, SequentialOptions, SequentialResult } from './algo/stats/sequential.ts';

/** Reward shaping. */
export { shapeReward } from './reward/shape.ts';
export type { Evidence, ShapedReward } from './reward/shape.ts';
export { DEFAULT_SHAPING } from './config/job/reward.ts';
export type { RewardComponent } from './config/job/reward.ts';
