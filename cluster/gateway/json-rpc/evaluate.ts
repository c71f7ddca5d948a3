import { MillraceError } from '../../../src/errors.ts';
import type { Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { Admin, Coordinator } from './coordinator.ts';
import { checked, evaluateParams } from './params.ts';
import type { MethodContext } from './route.ts';
import { evaluationOf, isOver, statusOf } from './status.ts';

/** Fields of Job that the answer is made of. */
const FIELDS = ['id', 'state', 'evaluations', 'evaluates', 'error'];
/** Starting loads the flow. */
const START_MS = 55_000;

/** `training.evaluate`: starts an evaluation and, if the caller wants that, waits for its result. */
export async function evaluate(coordinator: Coordinator, params: unknown, options: MethodContext): Promise<object> {
  const { job_id: jobId, checkpoint, wait_seconds: seconds, request_id: requestId } = checked(evaluateParams, params);
  const version = versionOf(jobId, checkpoint);
  const request = { jobId, ...(version !== undefined && { version }), ...(requestId !== undefined && { requestId }) };
  const { job } = await coordinator.call((admin) => admin.evaluateJob(request, { ...options, timeoutMs: START_MS }));
  const late = AbortSignal.any([options.signal, AbortSignal.timeout(seconds * 1000)]);
  const last = seconds > 0 ? await coordinator.call((admin) => followed(admin, job!, { ...options, signal: late })) : job!;
  const evaluation = last.evaluations.find(({ name }) => name === 'trained');
  const measured = Number(last.evaluates.split('@')[1]);
  return {
    job_id: jobId,
    evaluation_id: last.id,
    checkpoint: last.evaluates,
    status: statusOf(last).status,
    // In the record of the job that measures, its only version is 0.
    result: evaluation === undefined ? null : { ...evaluationOf(evaluation), policy_version: measured },
    error: last.error === '' ? null : last.error,
  };
}

function versionOf(jobId: string, checkpoint: string | number | undefined): number | undefined {
  if (typeof checkpoint !== 'string') return checkpoint;
  const [job, version] = checkpoint.split('@');
  if (job === jobId) return Number(version);
  throw new MillraceError('invalid_argument', `${checkpoint} is a checkpoint of another job than ${jobId}.`, {
    field: 'checkpoint',
  });
}

/** The job at its end, or as it is when the time is over. */
async function followed(admin: Admin, job: Job, options: MethodContext): Promise<Job> {
  let last = job;
  try {
    for await (const { job: now } of admin.watchJob({ jobId: job.id, readMask: { paths: FIELDS } }, options)) {
      last = now!;
      if (isOver(last)) break;
    }
  } catch (thrown) {
    if (!options.signal.aborted) throw thrown;
  }
  return last;
}
