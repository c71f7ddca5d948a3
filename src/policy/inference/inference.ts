/** Port: who evaluates policies for the flows of a process. */
import { MillraceError } from '../../errors.ts';
import type { Generation } from '../decision.ts';
import type { ActingPolicy, GenerationOf, ScoringOf, SituationOf } from '../kind.ts';

/** The weights that a request is for. They must not change until it is answered. */
export interface InferenceWeights {
  /** Policy version. */
  readonly version: number;
  readonly policy: ActingPolicy;
}

/** Which open action? */
export interface DecideRequest extends SituationOf {
  lease: InferenceWeights;
  /** How many actions are open. */
  actions: number;
  /** > 0. */
  temperature: number;
}

/** What does the policy write? */
export interface GenerateRequest extends GenerationOf {
  lease: InferenceWeights;
}

/** How likely is it that the policy writes these tokens? */
export interface ScoreRequest extends ScoringOf {
  lease: InferenceWeights;
}

/** A question that an implementation, or a policy kind, can answer or not. */
export type Capability = 'decide' | 'generate' | 'score';

/**
 * Answers what flows ask of policies. Requests are single: an implementation batches what waits at the same time, of any job.
 * A question that the policy or the implementation cannot answer is rejected with `failed_precondition` (field: the capability).
 */
export interface Inference {
  /** What can be asked about these weights. */
  can(lease: InferenceWeights): ReadonlySet<Capability>;
  /** Says that a flow starts that will ask; returns the function to call when it has ended. */
  join(): () => void;
  /**
   * log-probabilities of the open actions at the temperature asked for; the array is shared, do not write to it. The caller draws:
   * exploration may sample from another distribution, and a flow's choices follow from its own random numbers.
   */
  decide(request: DecideRequest): Promise<Float32Array>;
  /** Tokens that the policy wrote, each with its log-probability. */
  generate(request: GenerateRequest): Promise<Generation>;
  /** log-probability of each given token. */
  score(request: ScoreRequest): Promise<readonly number[]>;
}

/** What a policy of some kind can be asked. */
export function capabilitiesOf(policy: ActingPolicy): ReadonlySet<Capability> {
  const can = new Set<Capability>();
  if (policy.logProbabilities !== undefined) can.add('decide');
  if (policy.generate !== undefined) can.add('generate');
  if (policy.score !== undefined) can.add('score');
  return can;
}

/** The error of a question that cannot be answered. `who`: what it was asked of, e.g. `policy version 3`. */
export function cannot(capability: Capability, who: string): MillraceError {
  return new MillraceError('failed_precondition', `${who} cannot ${capability}: ${MEANING[capability]}`, { field: capability });
}

const MEANING: Readonly<Record<Capability, string>> = {
  decide: 'it does not choose among open actions',
  generate: 'it does not write tokens',
  score: 'it gives no log-probabilities of given tokens',
};
