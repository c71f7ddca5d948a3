/**
 * A policy kind: how a policy decides and learns. Everything that depends on it is behind this port; the registry
 * (registry.ts) holds the kinds by name, and flow modules may bring kinds of their own.
 */
import type { z } from 'zod';
import type { WrittenType } from '../tensor-files/write-safetensors.ts';
import type { Decision, GeneratedDecision, Generation, Reading } from './decision.ts';
import type { Experience } from './experience.ts';
import type { Speech } from '../base-model/chat/conversation.ts';
import type { Parameters, TensorPlace } from './policy.ts';
import type { FlowOutline, Plan } from './plan.ts';

/**
 * Shape of a policy. It travels with every checkpoint and to every learner as JSON: with the kind, nothing else is needed to
 * rebuild the policy.
 */
export interface PolicySpec {
  /** Name of the policy kind. */
  readonly kind: string;
}

/** What a specification depends on besides flow and settings. */
export interface SpecificationNeeds {
  /** Seed of the initial parameters. */
  seed: number;
  /** The training method has a critic: the policy must estimate the value of a situation, too. */
  value: boolean;
}

/** What of two specifications differs. */
export interface SpecDifference {
  /** Its place, e.g. `tools` or `text.encoder`. */
  field: string;
  /** What the first and the second one have there, for people. */
  first: string;
  second: string;
}

/**
 * One policy kind. `S` is its specification, `T` its settings, `G` what it keeps of a group's situations.
 *
 * Everything but {@link actor} and {@link learner} must be a pure function of its arguments. Modules that take long to load (tensor libraries) belong
 * into {@link load}: commands that only read a job file load the kind, too.
 */
export interface PolicyKind<S extends PolicySpec = PolicySpec, T = unknown, G extends SituationTable = SituationTable> {
  /** Lower-case letters, digits and "-", at most 40; `policy.kind` of a job. */
  readonly name: string;
  /** What `policy:` of a job may hold besides `kind`, defaults included. */
  readonly settings: z.ZodType<T>;
  /** The specification of a policy for a flow. Its `kind` must be {@link name}. */
  specification(flow: FlowOutline, settings: T, needs: SpecificationNeeds): S;
  /** The first field in which specifications differ; undefined when weights of the first can be used in the second. */
  difference(first: S, second: S): SpecDifference | undefined;
  /** What of a specification does not suit the flow (first: the flow's, second: the specification's); undefined when it suits. */
  misfit(flow: FlowOutline, spec: S): SpecDifference | undefined;
  /** Names, shapes and places of the trainable tensors. `invalid_argument` when the specification makes no sense. */
  layout(spec: S): readonly TensorPlace[];
  /** Initial values of the trainable tensors: the same for the same specification, everywhere. */
  initial(spec: S): Parameters;
  /**
   * Reads what settings name outside of the job, such as the files of a model, and returns them with what {@link specification} has to know of
   * it. Awaited before {@link specification} and {@link initial}, in every process. Default: the settings as they are.
   */
  resolve?(settings: T): Promise<T>;
  /**
   * Loads modules that {@link actor} and {@link learner} need, and with a specification what it names; awaited with it before either is
   * called. Default: nothing.
   */
  load?(spec?: S): Promise<void>;
  /**
   * What the policy decides by: choosing one of the open actions (`choice`), or writing a text that calls a tool (`generated`).
   * Default `choice`.
   */
  readonly decides?: Decision['kind'];
  /** Forms in which {@link export} writes weights for other programs. Default: none. */
  readonly exports?: readonly string[];
  /** Writes weights into an empty folder, in one of the forms of {@link exports}. */
  export?(spec: S, weights: Float32Array, options: ExportOptions): Promise<void>;
  /** The side that decides in flows. Called once for each job in a process. */
  actor(spec: S, flow: FlowOutline): PolicyActor<G>;
  /** The side that learns. Its weights have to be loaded. Called once for each job in a learner. */
  learner(spec: S): PolicyLearner;
}

/** How weights are exported. */
export interface ExportOptions {
  /** One of the kind's `exports`. */
  format: string;
  /** Is there, and empty. */
  folder: string;
  /** Where a model that the weights belong to is now. Default: where the specification says. */
  base?: string;
  /** Type of the numbers that are written, where the form leaves it open. Default F32. */
  numbers?: WrittenType;
}

/** The acting side of a job's policy in one process. */
export interface PolicyActor<G extends SituationTable = SituationTable> {
  /** A table for the situations of one group. */
  situations(): G;
  /** A policy whose weights have to be loaded. Several are in use at once, one for each version that flows play. */
  policy(): ActingPolicy<G>;
  /** What generated tokens say: their text, and the call in it. Of kinds that generate, and of no others. */
  read?(tokens: readonly number[]): Reading;
  /**
   * The tokens with which the policy would say this after a prompt, its end included; {@link read} of them gives it back. Of kinds that generate
   * and can be taught by a flow's rule. `failed_precondition` when its tokens cannot say it, or it is longer than the policy may write.
   */
  write?(speech: Speech, prompt: readonly number[]): readonly number[];
}

/** The distinct situations in which the members of one group decided. */
export interface SituationTable {
  /**
   * Index of the situation that a plan describes: the same for situations that the policy cannot tell apart.
   * @param before - the decision before in this flow, of kinds that generate: what the policy reads now is what it read and wrote then,
   * what came of it, and this plan. Absent at the flow's first step, and in kinds that choose.
   */
  add(plan: Plan, before?: Turn): number;
  /** State features as the policy sees them, for the rows of steps; undefined when it has none. */
  stateFlags(situation: number): readonly number[] | undefined;
  /** The tokens that the policy reads in a situation. Of kinds that generate. */
  prompt?(situation: number): readonly number[];
  /**
   * The group's experience for learners: the decisions of each member (none for failed ones). Its bytes depend on what the members
   * did, not on how their steps interleaved.
   */
  encode(members: readonly (readonly RecordedDecision[])[], temperature: number): Uint8Array;
}

/** A generated decision and what came of it. */
export interface Turn {
  /** Index into the group's {@link SituationTable}. */
  situation: number;
  decision: GeneratedDecision;
  /** What the tool answered, or what was wrong with the call, as the rows of steps hold it. */
  result: string;
  error: boolean;
}

/** One decision of a member: of a kind that chooses, or of one that generates. */
export type RecordedDecision = RecordedChoice | RecordedGeneration;

/** A choice among open actions. */
export interface RecordedChoice {
  /** Index into the group's {@link SituationTable}. */
  situation: number;
  /** Index of the chosen action among the plan's open actions. */
  action: number;
  /** log-probability of that action under what it was sampled from, at the sampling temperature. */
  logProbability: number;
}

/** Generated tokens. */
export interface RecordedGeneration extends Generation {
  /** Index into the group's {@link SituationTable}. */
  situation: number;
}

/** A situation of some group. */
export interface SituationOf<G extends SituationTable = SituationTable> {
  table: G;
  situation: number;
}

/** A generation that is asked for. */
export interface GenerationOf<G extends SituationTable = SituationTable> extends SituationOf<G> {
  /** Sampling temperature; 0: the most likely token each time, with its log-probability at temperature 1. */
  temperature: number;
  /** uint32. What is sampled depends on weights, situation, temperature and seed, whatever else is in the batch. */
  seed: number;
  /** Tokens to write at most, at least 1; a longer text ends there with `length`. Default: as many as the kind allows. */
  maxTokens?: number | undefined;
}

/** Tokens whose log-probabilities are asked for. */
export interface ScoringOf<G extends SituationTable = SituationTable> extends SituationOf<G> {
  tokens: readonly number[];
  /** > 0. */
  temperature: number;
}

/** Weights that decide. Of the three questions a kind answers those that it can: `logProbabilities`, or `generate` and `score`. */
export interface ActingPolicy<G extends SituationTable = SituationTable> {
  /** Replaces the weights; the array is the caller's. `invalid_argument` when the length differs. */
  load(values: Float32Array): void;
  /**
   * log-probabilities over each situation's open actions at `temperature` (> 0), one array for each situation. What else is in
   * the batch must not change them beyond rounding.
   */
  logProbabilities?(situations: readonly SituationOf<G>[], temperature: number): Float32Array[];
  /** One generation for each request. */
  generate?(requests: readonly GenerationOf<G>[]): readonly Generation[] | Promise<readonly Generation[]>;
  /** log-probability of each token of each request. */
  score?(requests: readonly ScoringOf<G>[]): readonly number[][] | Promise<readonly number[][]>;
  dispose(): void;
}

/** The side that learns. `P` is what it reads of a group's payload. */
export interface PolicyLearner<P = unknown> {
  /** Length of the flat array of parameters. */
  readonly size: number;
  /** Replaces the weights; the array is the caller's. `invalid_argument` when the length differs. */
  load(values: Float32Array): void;
  /**
   * Decodes what the decisions of a group were about. `failed_precondition` when another codec wrote it, `invalid_argument` with
   * `field` when it contradicts the columns.
   */
  open(experience: Experience, field: string): P;
  /** What the present weights say about tokens, in order. What else is in the batch must not change it beyond rounding. */
  evaluate(batch: readonly TokensOf<P>[]): TokenOutputs;
  /**
   * Adds the gradient of a loss to `gradient` (as long as the parameters). `loss` is to be called once, with what the present weights
   * say about the tokens, in order; it answers with its derivatives with respect to that.
   */
  learn(batch: readonly TokensOf<P>[], loss: TokenLoss, gradient: Float64Array): void;
  /**
   * How many tokens of a group, from the first on, are computed together; at least one. It must depend on these tokens alone, so that every
   * learner computes the same parts. Default: groups are computed together, and cut, by a number of tokens.
   */
  microBatch?(tokens: TokensOf<P>): number;
  /** {@link evaluate} in steps: the caller lets others go on between them. The weights stay as they are until it is done. Default: one step. */
  evaluateInSteps?(batch: readonly TokensOf<P>[]): Generator<void, TokenOutputs>;
  /** {@link learn} in steps, in the same way. */
  learnInSteps?(batch: readonly TokensOf<P>[], loss: TokenLoss, gradient: Float64Array): Generator<void, void>;
  dispose(): void;
}

/** Tokens of one group. A choice among open actions is one token. */
export interface TokensOf<P = unknown> {
  payload: P;
  /** Sampling temperature; > 0. */
  temperature: number;
  /** Places of the tokens among all tokens of the group. */
  places: readonly number[];
  /** These tokens are a part of the group's that was too large for one batch: what others refer to is not needed. */
  isPart: boolean;
}

/** What weights say about tokens, one entry for each. */
export interface TokenOutputs {
  /** log-probabilities of the tokens at the sampling temperature. */
  logProbs: Float64Array;
  /** Values of the situations; absent without a critic. */
  values?: Float64Array;
}

/** What a loss is computed from. */
export interface LossInputs extends TokenOutputs {
  /** Entropies of the distributions that the tokens were drawn from, in nats. */
  entropies: Float64Array;
}

/** Derivatives of a loss, one entry for each token. */
export interface LossDerivatives {
  logProbs: Float64Array;
  entropies: Float64Array;
  /** Absent where the method has no critic. */
  values?: Float64Array;
}

/** A loss of tokens as a function of what weights say about them. */
export type TokenLoss = (inputs: LossInputs) => LossDerivatives;
