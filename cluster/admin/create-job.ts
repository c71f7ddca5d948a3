import { createHash } from 'node:crypto';
import { checkJobPaths, parseJobConfig } from '../../src/config/load.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import type { CreateJobRequest, Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { forkSource, weightSource, type JobVersion } from '../jobs/weight-source.ts';
import type { AdminBackend, CreateJobOptions } from './backend.ts';
import { checkBundle, checkJobId, checkOwner, checkPriority, checkRequestId } from './validation.ts';

/**
 * Creates a job as a request asks for it. The same request id again gives the job that it created, at any coordinator; `already_exists` when the
 * rest of the request is another.
 */
export async function createJob(backend: AdminBackend, request: CreateJobRequest): Promise<Job> {
  const { jobId, configJson, from, fork, owner, priority } = request;
  const bundle = checkBundle(request.bundleDigest);
  if (jobId !== '') checkJobId(jobId);
  if (from !== '' && fork !== '')
    throw new MillraceError('invalid_argument', 'goes with an empty `from`: a job that goes on has weights.', { field: 'fork' });
  if (bundle !== undefined && fork !== '')
    throw new MillraceError('invalid_argument', 'goes with an empty `fork`: a job that goes on runs the code of the other.', {
      field: 'bundle_digest',
    });
  const source = forkSource(fork);
  const config = await jobConfig(backend, configJson, source);
  const options = { from: weightSource(from), fork: source, owner: checkOwner(owner), priority: checkPriority(priority), bundle };
  const requestId = checkRequestId(request.requestId);
  if (requestId === undefined)
    return jobId === '' ? createNumbered(backend, config, options) : backend.createJob(jobId, config, options);
  const content = [jobId, config, from, options.owner, options.priority, fork, bundle];
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return createOnce(backend, { id: jobId || idOf(config, requestId), config, options, request: { id: requestId, digest } });
}

/** The configuration of a new job; a fork may leave it to that of the job it goes on with. */
async function jobConfig(backend: AdminBackend, configJson: string, fork: JobVersion | undefined): Promise<JobConfig> {
  if (configJson === '' && fork !== undefined) return parseJobConfig((await backend.getJob(fork.job)).configJson);
  if (configJson === '')
    throw new MillraceError('invalid_argument', 'is missing; give the job configuration as JSON.', { field: 'config_json' });
  const config = parseJobConfig(configJson);
  checkJobPaths(config);
  return config;
}

interface IdentifiedJob {
  id: string;
  config: JobConfig;
  options: CreateJobOptions;
  request: { id: string; digest: string };
}

async function createOnce(backend: AdminBackend, { id, config, options, request }: IdentifiedJob): Promise<Job> {
  const earlier = await earlierJob(backend, id, request);
  if (earlier !== undefined) return earlier;
  try {
    return await backend.createJob(id, config, { ...options, request });
  } catch (thrown) {
    // The same request may be at another coordinator: its id is the same there, so that one of the two fails.
    const other = MillraceError.from(thrown).code === 'already_exists' ? await earlierJob(backend, id, request) : undefined;
    if (other === undefined) throw thrown;
    return other;
  }
}

async function earlierJob(backend: AdminBackend, id: string, request: { id: string; digest: string }): Promise<Job | undefined> {
  const earlier = await backend.findRequest(request.id, id);
  if (earlier === undefined || earlier.digest === request.digest) return earlier?.job;
  throw new MillraceError(
    'already_exists',
    `was used for job "${earlier.job.id}", with another content; give each request an id of its own.`,
    { field: 'request_id' },
  );
}

/** The id of a job that came without one: it follows from the request, so that the request creates one job wherever it arrives. */
function idOf({ name }: JobConfig, requestId: string): string {
  return `${name.slice(0, 28)}-${createHash('sha256').update(requestId).digest('hex').slice(0, 10)}`;
}

/** A job that came without an id gets its name and the next number: retail-1, retail-2 ... */
async function createNumbered(backend: AdminBackend, config: JobConfig, options: CreateJobOptions): Promise<Job> {
  const stem = config.name.slice(0, 32);
  const taken = (await backend.listJobs()).map(({ id }) => Number(id.startsWith(`${stem}-`) ? id.slice(stem.length + 1) : NaN));
  for (let number = Math.max(0, ...taken.filter((one) => Number.isInteger(one) && one < 1e7)) + 1; ; number += 1) {
    try {
      return await backend.createJob(`${stem}-${number}`, config, options);
    } catch (error) {
      // Somebody else took the number meanwhile.
      if (MillraceError.from(error).code !== 'already_exists') throw error;
    }
  }
}
