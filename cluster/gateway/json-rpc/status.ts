import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import { JobState, type Checkpoint, type Evaluation, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../../src/jobs/success-rate.ts';

type Status = 'queued' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

const STATUS: Readonly<Record<JobState, Status>> = {
  [JobState.UNSPECIFIED]: 'queued',
  [JobState.QUEUED]: 'queued',
  [JobState.RUNNING]: 'running',
  [JobState.PAUSED]: 'paused',
  [JobState.SUCCEEDED]: 'completed',
  [JobState.FAILED]: 'failed',
  [JobState.CANCELLED]: 'cancelled',
  [JobState.UNREADABLE]: 'failed',
};

/** Fields of Job that {@link statusOf} reads. */
export const STATUS_FIELDS = ['id', 'state', 'progress', 'error', 'waiting_for', 'evaluations', 'best_checkpoint'];

/** Nothing happens with the job any more. */
export function isOver({ state }: Job): boolean {
  return ['completed', 'failed', 'cancelled'].includes(STATUS[state]);
}

/** The answer of `training.get_status`. */
export function statusOf(job: Job): { status: Status } & Record<string, unknown> {
  const { progress } = job;
  const rounds = progress?.roundsTotal ?? 0;
  const round = progress?.round ?? 0;
  const trained = job.evaluations.filter(({ name }) => name === 'trained').at(-1);
  return {
    job_id: job.id,
    status: STATUS[job.state],
    progress: {
      round,
      rounds,
      fraction: rounds === 0 ? 0 : round / rounds,
      eta_seconds: progress === undefined || progress.etaSeconds < 0 ? null : progress.etaSeconds,
      waiting_for: job.waitingFor,
      error: job.error === '' ? null : job.error,
    },
    metrics: {
      reward: progress?.reward ?? null,
      success_rate: trained === undefined ? null : evaluationOf(trained).success_rate,
      trajectories_per_second: progress?.trajectoriesPerSecond ?? 0,
      train_seconds: progress?.trainSeconds ?? 0,
      ...progress?.statistics,
    },
    best_checkpoint: job.bestCheckpoint === undefined ? null : checkpointOf(job.bestCheckpoint),
  };
}

/** An evaluation with its rate and the 95 % confidence interval. */
export function evaluationOf(evaluation: Evaluation): { success_rate: number | null } & Record<string, unknown> {
  const { name, policyVersion, tasks, successes, failed, meanReward, meanSteps, incomplete } = evaluation;
  const judged = tasks - failed;
  const [low, high] = successRate({ tasks, successes, failed }).ci95;
  return {
    name,
    policy_version: policyVersion,
    ...{ tasks, successes, failed },
    success_rate: judged > 0 ? successes / judged : null,
    confidence_95: [low, high],
    mean_reward: meanReward,
    mean_steps: meanSteps,
    incomplete,
  };
}

/** A checkpoint and how good it is. */
function checkpointOf({ jobId, version, createTime, digest, evaluation }: Checkpoint): object {
  return {
    checkpoint: `${jobId}@${version}`,
    version,
    digest,
    create_time: timeOf(createTime),
    evaluation: evaluation === undefined ? null : evaluationOf(evaluation),
  };
}

function timeOf(time: Timestamp | undefined): string | null {
  return time === undefined ? null : timestampDate(time).toISOString();
}
