/** Codec of the planner's experience: what its decisions were about. A decision is one token long. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../errors.ts';
import { PlannerExperienceSchema } from '../../gen/millrace/v1/experience_pb.ts';
import { tokensFromBytes } from './codec.ts';
import { experienceOf, requireCodec, type Experience } from '../experience.ts';
import type { ObservationBatch } from './observation-policy.ts';

const KIND = 'planner';
const CODEC = 'planner/1';

/** Decisions of one trajectory, as columns of equal length. */
export interface PlannerDecisions {
  /** Index into the observations. */
  observation: readonly number[];
  /** Index of the chosen action among the observation's open actions. */
  action: readonly number[];
  /** Under the policy that acted, at the sampling temperature. */
  logProbability: readonly number[];
}

/** What {@link plannerExperience} is given. */
export interface PlannerExperienceParts {
  /** Token ids as little-endian bytes, one entry per distinct text. */
  texts: Uint8Array[];
  /** Encoded observations, one entry per distinct observation. */
  observations: Uint8Array[];
  /** One per trajectory; empty for failed ones. */
  decisions: readonly PlannerDecisions[];
  temperature: number;
}

/** The experience of a group of a planner's trajectories. */
export function plannerExperience({ texts, observations, decisions, temperature }: PlannerExperienceParts): Experience {
  const payload = create(PlannerExperienceSchema, {
    texts,
    observations,
    observation: decisions.flatMap(({ observation }) => observation),
    action: decisions.flatMap(({ action }) => action),
  });
  return experienceOf({
    kind: KIND,
    codec: CODEC,
    payload: toBinary(PlannerExperienceSchema, payload),
    temperature,
    trajectoryLengths: decisions.map(({ observation }) => observation.length),
    logProbabilities: decisions.flatMap(({ logProbability }) => logProbability),
  });
}

/** What a planner's decisions were about. */
export interface PlannerPayload {
  batch: ObservationBatch;
  /** Index into `batch.observations`, one per decision of the group. */
  observation: readonly number[];
  /** Index of the chosen action, one per decision. */
  action: readonly number[];
}

/**
 * Decodes the payload. `failed_precondition` when another kind of policy made it; `invalid_argument` with `field` when it
 * contradicts the columns.
 */
export function decodePlannerPayload(experience: Experience, field: string): PlannerPayload {
  requireCodec(experience, { kind: KIND, codec: CODEC });
  const { texts, observations, observation, action } = fromBinary(PlannerExperienceSchema, experience.payload);
  const total = experience.trajectoryLengths.reduce((sum, length) => sum + length, 0);
  const invalid = (message: string): MillraceError => new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  if (observation.length !== total || action.length !== total) {
    throw invalid(`${total} decisions, but ${observation.length} observations and ${action.length} actions`);
  }
  if (experience.decisionLengths.some((length) => length !== 1)) throw invalid("a planner's decision is one token long");
  const beyond = observation.find((index) => index >= observations.length);
  if (beyond !== undefined) throw invalid(`a decision refers to observation ${beyond} of ${observations.length}`);
  return { batch: { texts: texts.map(tokensFromBytes), observations }, observation, action };
}
