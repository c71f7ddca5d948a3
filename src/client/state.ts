import { JobState, type Job } from '../gen/millrace/v1/admin_pb.ts';

/** State of a job, as a word. */
export type JobStateWord = 'queued' | 'running' | 'paused' | 'succeeded' | 'failed' | 'cancelled' | 'unreadable' | 'unknown';

const WORDS: Readonly<Record<JobState, JobStateWord>> = {
  [JobState.UNSPECIFIED]: 'unknown',
  [JobState.QUEUED]: 'queued',
  [JobState.RUNNING]: 'running',
  [JobState.PAUSED]: 'paused',
  [JobState.SUCCEEDED]: 'succeeded',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
  [JobState.UNREADABLE]: 'unreadable',
};

/** The state of a job as a word; `unknown` for one that a newer server has. */
export function stateOf({ state }: Pick<Job, 'state'>): JobStateWord {
  return WORDS[state] ?? 'unknown';
}

/** Nothing happens with the job any more, well or not. */
export function isEnded({ state }: Pick<Job, 'state'>): boolean {
  return (
    state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED || state === JobState.UNREADABLE
  );
}
