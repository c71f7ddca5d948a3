/** The public API: what a flow is written with. */
export { defineFlow, defineTool, ToolError } from './flow/define.ts';
export { metered } from './flow/usage.ts';
export type { Usage } from './flow/usage.ts';
export type { FlowDefinition, Json, Loaded, OpenAction, Outcome, Plan, Reward, Tool, Verification } from './flow/define.ts';
export { MillraceError } from './errors.ts';
export type { ErrorCode, MillraceErrorOptions } from './errors.ts';
export type { RewardFunction, RewardInput, RewardStep } from './reward/custom/protocol.ts';
export { seededRandom } from './random/seeded.ts';
export type { Random } from './random/random.ts';
export { readCsv, readJson, readJsonLines, readTasks } from './tasks/read.ts';
export { z } from 'zod';

/** Training methods: what `algorithm:` of a job names, and the pure functions that it is made of (docs/algorithms.md). */
export { algorithmSchema, criticOf, methodOf, METHODS } from './algo/registry.ts';
export { DEFAULT_ALGORITHM } from './algo/config.ts';
export type { AlgorithmConfig, StdKind } from './algo/config.ts';
export type { GroupRewards, LossColumns, LossResult, Method, RoundAdvantages, RoundGroup, RoundNeeds } from './algo/method.ts';

/** Advantages and credit assignment. */
export { grpoAdvantages } from './algo/grpo/advantages.ts';
export type { AdvantageOptions } from './algo/grpo/advantages.ts';
export { drGrpoAdvantages } from './algo/dr-grpo/advantages.ts';
export { reinforcePlusPlusAdvantages } from './algo/reinforce-plus-plus/advantages.ts';
export { rlooAdvantages } from './algo/rloo/advantages.ts';
export { whiten, whitenGroups } from './algo/credit/whiten.ts';
export type { WhitenOptions } from './algo/credit/whiten.ts';
export { broadcast, discounted } from './algo/credit/broadcast.ts';
export { leaveOneOutReturnsToGo, returnsToGo } from './algo/credit/return-to-go.ts';
export { potentialShaping } from './algo/credit/shaping.ts';
export { generalizedAdvantages } from './algo/credit/gae.ts';
export { vtrace } from './algo/vtrace/vtrace.ts';
export type { VtraceOptions } from './algo/vtrace/vtrace.ts';

/** Losses, with their derivatives. */
export { clippedSurrogate } from './algo/surrogate/clipped.ts';
export type { Surrogate, SurrogateOptions } from './algo/surrogate/clipped.ts';
export { surrogateLoss } from './algo/surrogate/loss.ts';
export { sequenceSurrogate } from './algo/gspo/surrogate.ts';
export type { SequenceSurrogate } from './algo/gspo/surrogate.ts';
export { gvpoLoss } from './algo/gvpo/loss.ts';
export { decoupledLoss, proximalWeights } from './algo/decoupled-ppo/loss.ts';
export { valueLoss } from './algo/value/loss.ts';
export type { ValueLossOptions } from './algo/value/loss.ts';
export { klEstimate } from './algo/kl/estimators.ts';
export type { KlEstimator } from './algo/kl/estimators.ts';

/** Corrections and aggregation. */
export { correctionWeights } from './algo/correction/weights.ts';
export type { CorrectionOptions } from './algo/correction/weights.ts';
export { decisionWeights, weighDecisions } from './algo/aggregation/weights.ts';
export type { Aggregation } from './algo/aggregation/weights.ts';
