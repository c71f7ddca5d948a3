import { MillraceError } from '../../src/errors.ts';
import { successRate, rateText } from '../../src/jobs/success-rate.ts';
import { earlyStopAt } from '../../src/jobs/early-stop.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import { withEvaluation } from '../../src/jobs/evaluation/compared.ts';
import { evaluationKey } from '../../src/jobs/evaluation/names.ts';
import type { EvaluationPlan } from '../../src/jobs/requests.ts';
import type { TaskPlan } from '../jobs/tasks.ts';
import type { RunningEvaluations } from './evaluations.ts';
import type { CoordinatedJob } from './coordinated-job.ts';
import { retainBest } from './retention.ts';

/** Begins evaluations on the held-out tasks; their requests are sent later. */
export async function startEvaluations(
  { context, id, machine }: CoordinatedJob,
  running: RunningEvaluations,
  { plans, tasks }: { plans: readonly EvaluationPlan[]; tasks: Pick<TaskPlan, EvaluationPlan['taskSet']> },
): Promise<void> {
  const newest = machine.manifest!;
  for (const plan of plans) {
    // How far training was at that version, which need not be the newest one.
    const at = plan.policyVersion === newest.version ? newest : await context.weights.manifest(id, plan.policyVersion);
    const { ledger, trainSeconds } = at ?? newest;
    running.start(plan, tasks[plan.taskSet], { trajectories: Number(ledger?.trajectories ?? 0n), trainSeconds });
  }
}

/** Keeps the evaluations that are complete; they are under way until then. */
export async function recordFinished(job: CoordinatedJob, running: RunningEvaluations): Promise<void> {
  for (const result of running.finished()) {
    await recordEvaluation(job, result);
    running.forget(result);
  }
}

/** Keeps a finished evaluation: its row, its metrics, its place in the job's record; then deletes checkpoints that are not needed. */
export async function recordEvaluation(job: CoordinatedJob, result: EvaluationRecord): Promise<void> {
  const { context, id } = job;
  // The row before the record: what the record holds is not measured again.
  await job.events.evaluated(result);
  announce(job, result);
  await job.update((record) => ({ ...record, evaluations: withEvaluation(record, result) }));
  if (result.name !== 'trained') return;
  await reportToMeasured(job, result);
  await stopEarly(job);
  await retainBest(context, job.record).catch((error: unknown) => {
    context.log.warn({ err: error, job: id }, 'old checkpoints could not be deleted; tried again at the next evaluation');
  });
}

/** Ends training after the requests that were admitted, once the validation tasks say so. */
async function stopEarly(job: CoordinatedJob): Promise<void> {
  const { context, id, machine } = job;
  const version = machine.manifest?.version ?? 0;
  const stop = earlyStopAt(job.record, version);
  if (stop === undefined) return;
  const message = `training ends after round ${stop.round} of ${job.record.config.rounds}: ${stop.reason}`;
  // The event before the record: once the record says it, nobody comes here again.
  await job.events.publish('stopped-early', stop.round, message, { round: stop.round });
  await job.update((record) => (record.earlyStop === undefined ? { ...record, earlyStop: stop } : undefined));
  void context.notices.report(id, { code: 'STOPPED_EARLY', lasts: false, message });
}

/** Of a job that measures another one: that one's record gets the result, and with it what is known of its checkpoints. */
async function reportToMeasured({ context, record: { evaluates } }: CoordinatedJob, result: EvaluationRecord): Promise<void> {
  if (evaluates === undefined) return;
  const { job, version, ...moment } = evaluates;
  const measured: EvaluationRecord = { ...result, policyVersion: version, ...moment };
  try {
    await context.jobs.update(job, (record) => ({
      ...record,
      evaluations: withEvaluation(record, measured).sort((a, b) => a.policyVersion - b.policyVersion),
    }));
  } catch (thrown) {
    // The job is gone, or its record cannot be read: the result stays with the job that measured.
    if (MillraceError.from(thrown).retryable) throw thrown;
    context.log.warn({ err: thrown, job }, 'the result of an evaluation could not be noted in the job that was measured');
  }
}

function announce({ context: { metrics, notices }, id }: CoordinatedJob, result: EvaluationRecord): void {
  const { success, judged, notJudged, incomplete } = successRate(result);
  const labels = { job: id, planner: result.name };
  if (judged > 0) metrics.set('held_out_success', labels, success);
  metrics.set('held_out_judged', labels, judged);
  metrics.set('held_out_not_judged', labels, notJudged);
  if (!incomplete) return;
  const subject = evaluationKey(result.name, result.policyVersion);
  void notices.report(id, {
    code: 'EVALUATION_INCOMPLETE',
    lasts: false,
    subject,
    message: `held-out success of ${subject}: ${rateText(result)}; it is not compared with other evaluations`,
  });
}
