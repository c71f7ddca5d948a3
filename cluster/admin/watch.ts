import { createHash } from 'node:crypto';
import { toBinary } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import { JobSchema, type Job, type WatchJobRequest, type WatchJobsRequest } from '../../src/gen/millrace/v1/admin_pb.ts';
import { isEndState, type AdminBackend } from './backend.ts';
import { parseFilter } from './filter.ts';
import { latest } from './latest.ts';
import { readMask } from './read-mask.ts';
import { checkJobId } from './validation.ts';

/** `WatchJob`: a job now and after every change of what the mask keeps, until it has ended. */
export async function* watchJob(
  backend: AdminBackend,
  request: WatchJobRequest,
  signal: AbortSignal,
): AsyncGenerator<{ job: Job; resumeToken: string }> {
  const id = checkJobId(request.jobId);
  const mask = readMask(JobSchema, request.readMask);
  const over = new AbortController();
  let known = checkToken(request.resumeToken, /^[\w-]{22}$/);
  try {
    for await (const whole of latest(backend.watchJob(id, AbortSignal.any([signal, over.signal])), signal)) {
      const job = mask(whole);
      const token = digestOf(job);
      if (token !== known) yield { job, resumeToken: token };
      if (isEndState(whole.state)) return;
      known = token;
    }
    throw new MillraceError('unavailable', `The watch of job ${id} has ended before the job; watch it again.`);
  } finally {
    over.abort();
  }
}

/** `WatchJobs`: the jobs that a filter takes, and each one again when what the mask keeps of it has changed. */
export async function* watchJobs(
  backend: AdminBackend,
  request: WatchJobsRequest,
  signal: AbortSignal,
): AsyncGenerator<{ job: Job; resumeToken: string; left: boolean }> {
  const isWanted = parseFilter(request.filter);
  const mask = readMask(JobSchema, request.readMask);
  const token = checkToken(request.resumeToken, /^\d{1,15}$/);
  const since = token === undefined ? undefined : Number(token);
  const known = new Map<string, string>();
  for await (const { job: whole, left, revision } of backend.watchJobs({ isWanted, since, signal })) {
    const job = mask(whole);
    const digest = digestOf(job);
    if (!left && known.get(whole.id) === digest) continue;
    if (left) known.delete(whole.id);
    else known.set(whole.id, digest);
    yield { job, left, resumeToken: String(revision) };
  }
  if (signal.aborted) throw signal.reason;
}

function digestOf(job: Job): string {
  return createHash('sha256').update(toBinary(JobSchema, job)).digest('base64url').slice(0, 22);
}

function checkToken(token: string, form: RegExp): string | undefined {
  if (token === '') return undefined;
  if (form.test(token)) return token;
  throw new MillraceError('invalid_argument', 'is no resume token; use that of the last answer, or nothing.', {
    field: 'resume_token',
  });
}
