import type { JobConfig } from '../../../src/config/job.ts';
import { MillraceError } from '../../../src/errors.ts';
import { JobState, type Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { successRate, rateText } from '../../../src/jobs/success-rate.ts';
import { evaluationInterval } from '../../../src/tune/halving.ts';
import { rungScores, trajectoriesTo, type Measurement, type RungScore } from '../../../src/tune/objective.ts';
import { shouldContinueTrial, type SearchPlan, type Trial, type TrialState } from '../../../src/tune/search.ts';
import type { Space } from '../../../src/tune/space.ts';
import type { CliContext } from '../context.ts';
import { followJob } from '../follow-job.ts';
import type { CurrentTrial } from './state-file.ts';

/** A trial's job: as many rounds as the last rung, evaluated at every rung, without baselines, with one checkpoint. */
export function trialConfig(plan: SearchPlan, job: JobConfig): JobConfig {
  const { rounds } = plan.halving;
  // Success is looked at where trials are compared; to see when it was reached, as often as the job says.
  const wanted = plan.objective.kind === 'trajectories-to' ? job.evaluation.every : 0;
  return {
    ...job,
    rounds: rounds.at(-1)!,
    // Trials are decided by validation alone.
    evaluation: { every: evaluationInterval(rounds, wanted), patience: 0, baselines: false, test: false, samples: 0 },
    checkpoint: { ...job.checkpoint, keep: 1 },
  };
}

/** The most trajectories that a trial can take. */
export function capacityOf({ space, halving }: SearchPlan, job: JobConfig): number {
  return (
    largest(space, 'rollout.groupSize', job.rollout.groupSize) *
    largest(space, 'rollout.groupsPerRound', job.rollout.groupsPerRound) *
    halving.rounds.at(-1)!
  );
}

function largest(space: Space, path: string, own: number): number {
  const parameter = space[path];
  if (parameter === undefined) return own;
  return parameter.kind === 'choices' ? Math.max(...parameter.choices.map(Number)) : parameter.high;
}

/**
 * Evaluations of the planner in training, by round. Incomplete ones are left out: the rate of the tasks that could be judged is not
 * comparable with that of all.
 */
export function measurementsOf({ evaluations }: Pick<Job, 'evaluations'>): Measurement[] {
  return evaluations
    .filter((evaluation) => evaluation.name === 'trained' && !successRate(evaluation).incomplete)
    .map((evaluation) => ({
      round: evaluation.policyVersion,
      trajectories: Number(evaluation.trajectories),
      success: successRate(evaluation).success,
    }))
    .sort((a, b) => a.round - b.round);
}

/** What {@link runTrial} works with. */
export interface TrialSetting {
  plan: SearchPlan;
  /** The trials before it, by which it is judged. */
  before: readonly Trial[];
  current: CurrentTrial;
  config: JobConfig;
  capacity: number;
  context: CliContext;
  /** Called with every state of the job. */
  onJob: (job: Job) => void;
}

/** Runs a trial to its end: makes its job, or goes on with it, and cancels it when there is nothing more to learn from it. */
export async function runTrial(setting: TrialSetting): Promise<Trial> {
  const { current, context, onJob } = setting;
  await context.withAdmin((admin) => openJob(admin, current.job, setting.config));
  let cancelling = false;
  const ended = await followJob(current.job, context, (job) => {
    onJob(job);
    if (cancelling || isEnd(job.state) || verdictOf(setting, job) === undefined) return;
    cancelling = true;
    // A coordinator that is away is asked again with the job's next state.
    context
      .withAdmin((admin) => admin.cancelJob({ jobId: current.job }, { timeoutMs: 10_000 }))
      .catch(() => (cancelling = false));
  });
  return trialOf(setting, ended);
}

/** Why a trial need not go on: it has reached what it was after, or is among the losers; undefined while it goes on. */
function verdictOf(setting: TrialSetting, job: Job): 'reached' | 'stopped' | undefined {
  const { plan, before } = setting;
  if (plan.objective.kind === 'trajectories-to' && trajectoriesTo(plan.objective.target, measurementsOf(job)) !== undefined)
    return 'reached';
  return shouldContinueTrial(plan, before, scoresOf(setting, job)) ? undefined : 'stopped';
}

function scoresOf({ plan, capacity }: TrialSetting, job: Job): RungScore[] {
  return rungScores(plan.objective, measurementsOf(job), plan.halving.rounds, capacity);
}

/** A trial whose job has ended. */
function trialOf(setting: TrialSetting, job: Job): Trial {
  const { current } = setting;
  const scores = scoresOf(setting, job);
  const incomplete = incompleteAtTheEnd(job);
  const ended: TrialState = job.state === JobState.SUCCEEDED ? 'done' : (verdictOf(setting, job) ?? 'failed');
  const state = ended === 'done' && incomplete !== undefined ? 'failed' : ended;
  const error = job.error !== '' ? job.error : (incomplete ?? 'its job was cancelled by somebody else');
  return {
    ...current,
    state,
    rounds: job.progress?.round ?? 0,
    seconds: job.progress?.trainSeconds ?? 0,
    measurements: measurementsOf(job),
    scores,
    ...(state === 'failed' && { error }),
  };
}

/** What is wrong with a trial's last evaluation; undefined when it can be compared. */
function incompleteAtTheEnd({ evaluations }: Job): string | undefined {
  const last = evaluations.filter(({ name }) => name === 'trained').sort((a, b) => a.policyVersion - b.policyVersion);
  const evaluation = last.at(-1);
  if (evaluation === undefined || !successRate(evaluation).incomplete) return undefined;
  return `its evaluation at round ${evaluation.policyVersion} says little: ${rateText(evaluation)}`;
}

function isEnd(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

type Admin = Parameters<Parameters<CliContext['withAdmin']>[0]>[0];

/** Makes the job unless it is there already, from a start that was interrupted; then it goes on. */
async function openJob(admin: Admin, jobId: string, config: JobConfig): Promise<void> {
  let found: Job | undefined;
  try {
    found = (await admin.getJob({ jobId })).job;
  } catch (thrown) {
    if (MillraceError.from(thrown).code !== 'not_found') throw thrown;
  }
  if (found === undefined) await admin.createJob({ jobId, configJson: JSON.stringify(config) }, { timeoutMs: 330_000 });
  else if (found.state === JobState.PAUSED) await admin.resumeJob({ jobId });
}
