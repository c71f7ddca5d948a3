import type { StreamName } from './names.ts';

/** What a scored group is for: a round of training, an evaluation, or its rows alone (a replayed letter). */
export type ScoredPurpose = 'train' | 'evaluate' | 'rows';

/** Stream ROLLOUTS. */
export const rolloutSubject = (job: string): string => `rollout.${job}`;
/** Stream GROUPS. */
export const groupSubject = (job: string): string => `group.${job}`;
/** Stream SCORED. */
export const scoredSubject = (job: string, purpose: ScoredPurpose): string => `scored.${job}.${purpose}`;
/** Stream EVENTS; `kind` is `update`, `evaluation`, `exploration`, or the kind of a job event. */
export const eventSubject = (job: string, kind: string): string => `event.${job}.${kind}`;
/** Stream HELD. */
export const heldSubject = (job: string): string => `held.${job}`;
/** Stream PARTS: one part of the message with this key. */
export const partSubject = (job: string, key: string, index: number | '*'): string => `part.${job}.${key}.${index}`;
/** Everything in PARTS of a job. */
export const partsSubject = (job: string): string => `part.${job}.>`;
/** Stream CALLS: what is known of a call when it starts, and when it has ended. */
export const callSubject = (job: string, session: string, entry: CallEntry): string => `call.${job}.${session}.${entry}`;
/** See {@link callSubject}. */
export type CallEntry = 'started' | 'ended';
/** Stream DLQ. */
export const deadLetterSubject = (stream: StreamName): string => `${DEAD_LETTER_PREFIX}.${stream}`;
/** First token of the subjects of dead letters. */
export const DEAD_LETTER_PREFIX = 'dlq';

/** Stream WEIGHTS: one chunk of a part of a version; `digest` is the first 12 hex digits of the part's SHA-256. */
export const weightChunkSubject = (at: WeightPlace, part: string, digest: string, index: number | '*'): string =>
  `weights.${at.job}.${at.version}.${part}-${digest}.${index}`;
/** Stream WEIGHTS: the manifest of a version that is not the newest. */
export const weightManifestSubject = (at: WeightPlace): string => `weights.${at.job}.${at.version}.manifest`;
/** Everything of one version, or of all versions of a job. */
export const weightsFilter = ({ job, version }: { job: string; version?: number }): string =>
  version === undefined ? `weights.${job}.>` : `weights.${job}.${version}.>`;

/** A version of a job's policy. */
export interface WeightPlace {
  job: string;
  version: number;
}

/** Not stored: what a trainer reports of its round. */
export const progressSubject = (job: string): string => `progress.${job}`;
/** Not stored: what a job's actor waits for. */
export const waitingSubject = (job: string): string => `waiting.${job}`;
/** Not stored: workers report messages that they hold back for a service. */
export const retrySubject = (job: string): string => `retry.${job}`;
/** Not stored: a coordinator asks a rollout worker to solve a live task. */
export const serveSubject = (node: string): string => `serve.${node}`;
/** Not stored: a rollout worker answers a coordinator that has asked. */
export const servedSubject = (node: string): string => `served.${node}`;
/** Not stored: what the writer of trajectories reports, once a second. */
export const WRITER_SUBJECT = 'writer.store';

/** Filters of the streams. */
export const ALL = {
  rollouts: 'rollout.>',
  groups: 'group.>',
  scored: 'scored.>',
  weights: 'weights.>',
  events: 'event.>',
  deadLetters: `${DEAD_LETTER_PREFIX}.>`,
  held: 'held.>',
  parts: 'part.>',
  calls: 'call.>',
} as const;
