import { MillraceError } from '../errors.ts';
import { JobState as ProtoJobState } from '../gen/millrace/v1/admin_pb.ts';

/** States of a job; the names are those of the proto enum without their prefix. */
export const JOB_STATES = ['QUEUED', 'RUNNING', 'PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;

/** One of {@link JOB_STATES}. */
export type JobStateName = (typeof JOB_STATES)[number];

/**
 * The state machine: from which state a job may go to which. Only the scheduler's decision makes a job RUNNING; what is resumed or has
 * lost its place is QUEUED again. A failed job may be resumed (`cluster/coordinator/resume.ts`).
 * A coordinator that takes a job over does not change its state: RUNNING stays RUNNING.
 */
const JOB_TRANSITIONS: Readonly<Record<JobStateName, readonly JobStateName[]>> = {
  QUEUED: ['RUNNING', 'PAUSED', 'FAILED', 'CANCELLED'],
  RUNNING: ['QUEUED', 'PAUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  PAUSED: ['QUEUED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: ['QUEUED'],
  CANCELLED: [],
};

/** True for states in which nothing works for the job: SUCCEEDED, FAILED and CANCELLED. */
export function isEnded(state: JobStateName): boolean {
  return state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED';
}

export function canTransition(from: JobStateName, to: JobStateName): boolean {
  return JOB_TRANSITIONS[from].includes(to);
}

/** Throws `failed_precondition`, naming the states that can be reached, when a job in `from` cannot go to `to`. */
export function assertTransition(from: JobStateName, to: JobStateName, job = 'the job'): void {
  if (canTransition(from, to)) return;
  const allowed = JOB_TRANSITIONS[from];
  const rest = allowed.length === 0 ? `${from} is final; create a new job` : `from ${from} it can go to ${allowed.join(', ')}`;
  throw new MillraceError('failed_precondition', `${job} is ${from} and cannot become ${to}: ${rest}`, { field: 'state' });
}

const TO_PROTO: Readonly<Record<JobStateName, ProtoJobState>> = {
  QUEUED: ProtoJobState.QUEUED,
  RUNNING: ProtoJobState.RUNNING,
  PAUSED: ProtoJobState.PAUSED,
  SUCCEEDED: ProtoJobState.SUCCEEDED,
  FAILED: ProtoJobState.FAILED,
  CANCELLED: ProtoJobState.CANCELLED,
};

export function toProtoState(state: JobStateName): ProtoJobState {
  return TO_PROTO[state];
}
