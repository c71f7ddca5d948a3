import { sha256 } from '../../src/artifacts/digest.ts';
import { checkJobPaths, parseJobConfig } from '../../src/config/load.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MOST_NESTED, nestedTooDeeply } from '../../src/config/nesting.ts';
import type { Json } from '../../src/flow/define.ts';
import { MillraceError } from '../../src/errors.ts';
import type { CreateJobRequest, EvaluateJobRequest, Job, TrainingQuery } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Query } from '../jobs/queries.ts';
import { forkSource, weightSource, type JobVersion } from '../jobs/weight-source.ts';
import { evaluationConfig } from '../jobs/evaluation-config.ts';
import type { AdminBackend, CreateJobOptions } from './backend.ts';
import {
  checkAgentName,
  checkBundle,
  checkJobId,
  checkOwner,
  checkPriority,
  checkRequestId,
  usedRequestId,
} from './validation.ts';

/** Queries of a job, at most. */
const MOST_QUERIES = 100_000;

/**
 * Creates a job as a request asks for it. The same request id again gives the job that it created, at any coordinator; `already_exists` when the
 * rest of the request is another.
 */
export async function createJob(backend: AdminBackend, request: CreateJobRequest): Promise<Job> {
  const { jobId, configJson, from, fork, owner, priority } = request;
  if (request.agent !== '' && request.bundleDigest !== '')
    throw new MillraceError('invalid_argument', 'goes with an empty `bundle_digest`: an agent has its bundle.', {
      field: 'agent',
    });
  const agent = request.agent === '' ? undefined : await backend.agents.get(checkAgentName(request.agent, 'agent'));
  const bundle = agent?.bundle ?? checkBundle(request.bundleDigest);
  const queries = trainingQueries(request.trainingData);
  if (queries !== undefined && bundle === undefined)
    throw new MillraceError('invalid_argument', 'goes with `agent` or `bundle_digest`.', { field: 'training_data' });
  if (jobId !== '') checkJobId(jobId);
  if (from !== '' && fork !== '')
    throw new MillraceError('invalid_argument', 'goes with an empty `from`: a job that goes on has weights.', { field: 'fork' });
  if (bundle !== undefined && fork !== '')
    throw new MillraceError('invalid_argument', 'goes with an empty `fork`: a job that goes on runs the code of the other.', {
      field: request.agent === '' ? 'bundle_digest' : 'agent',
    });
  const source = forkSource(fork);
  const config = await jobConfig(backend, { configJson, fork: source, agent: agent?.name });
  const options: CreateJobOptions = {
    from: weightSource(from),
    fork: source,
    owner: checkOwner(owner),
    priority: checkPriority(priority),
    bundle,
    agent: agent?.name,
    queries,
  };
  const requestId = checkRequestId(request.requestId);
  if (requestId === undefined)
    return jobId === '' ? createNumbered(backend, config, options) : backend.createJob(jobId, config, options);
  const content = [jobId, config, from, options.owner, options.priority, fork, request.agent || bundle, queries];
  const digest = digestOf(content);
  return createOnce(backend, { id: jobId || idOf(config, requestId), config, options, request: { id: requestId, digest } });
}

/** Creates a job that measures a version of another, for `caller` or, where nobody is named, the owner of the other. The same request id again gives the same job. */
export async function evaluateJob(
  backend: AdminBackend,
  { jobId, version, requestId }: EvaluateJobRequest,
  caller?: string,
): Promise<Job> {
  const { id, owner: of, priority, configJson } = await backend.getJob(checkJobId(jobId));
  const owner = caller ?? of;
  const config = evaluationConfig(parseJobConfig(configJson));
  const options: CreateJobOptions = { evaluates: { job: id, version }, owner, priority };
  const given = checkRequestId(requestId);
  if (given === undefined) return createNumbered(backend, config, options);
  const request = { id: given, digest: digestOf(['evaluate', id, version]) };
  return createOnce(backend, { id: idOf(config, given), config, options, request });
}

function digestOf(content: unknown): string {
  return sha256(JSON.stringify(content));
}

/** The configuration of a new job; a fork may leave it to that of the job it goes on with. */
async function jobConfig(
  backend: AdminBackend,
  { configJson, fork, agent }: { configJson: string; fork: JobVersion | undefined; agent: string | undefined },
): Promise<JobConfig> {
  if (configJson === '' && fork !== undefined) return parseJobConfig((await backend.getJob(fork.job)).configJson);
  if (configJson === '')
    throw new MillraceError('invalid_argument', 'is missing; give the job configuration as JSON.', { field: 'config_json' });
  const config = parseJobConfig(agent === undefined ? configJson : withFlow(configJson, agent));
  checkJobPaths(config);
  return config;
}

/** A job of an agent needs no flow; what stands there is a name in messages. What is no object is told as it is. */
function withFlow(configJson: string, agent: string): string {
  try {
    const config = JSON.parse(configJson) as unknown;
    const isObject = typeof config === 'object' && config !== null && !Array.isArray(config);
    return isObject ? JSON.stringify({ flow: `/agents/${agent}`, ...config }) : configJson;
  } catch {
    return configJson;
  }
}

function trainingQueries(data: readonly TrainingQuery[]): Query[] | undefined {
  if (data.length === 0) return undefined;
  const wrong = (index: number, what: string, problem: string): MillraceError =>
    new MillraceError('invalid_argument', problem, { field: `training_data[${index}].${what}` });
  if (data.length > MOST_QUERIES)
    throw new MillraceError('invalid_argument', `has ${data.length} entries; the most is ${MOST_QUERIES}.`, {
      field: 'training_data',
    });
  return data.map(({ query, expectedOutcomeJson }, index) => {
    if (query.trim() === '') throw wrong(index, 'query', 'is empty.');
    let outcome: Json;
    try {
      outcome = JSON.parse(expectedOutcomeJson) as Json;
    } catch {
      throw wrong(index, 'expected_outcome_json', 'is not JSON; a text needs its quotes.');
    }
    if (nestedTooDeeply({ outcome }) !== undefined)
      throw wrong(
        index,
        'expected_outcome_json',
        `is nested too deeply: at most ${MOST_NESTED} lists and objects in each other.`,
      );
    return { query, expected_outcome: outcome };
  });
}

interface IdentifiedJob {
  id: string;
  config: JobConfig;
  options: CreateJobOptions;
  request: { id: string; digest: string };
}

async function createOnce(backend: AdminBackend, { id, config, options, request }: IdentifiedJob): Promise<Job> {
  const earlier = await earlierJob(backend, request);
  if (earlier !== undefined) return earlier;
  try {
    return await backend.createJob(id, config, { ...options, request });
  } catch (thrown) {
    // The same request may be at another coordinator: its id is the same there, so that one of the two fails.
    const other = MillraceError.from(thrown).code === 'already_exists' ? await earlierJob(backend, request, id) : undefined;
    if (other === undefined) throw thrown;
    return other;
  }
}

async function earlierJob(backend: AdminBackend, request: { id: string; digest: string }, id?: string): Promise<Job | undefined> {
  const earlier = await backend.findRequest(request.id, id);
  if (earlier === undefined || earlier.digest === request.digest) return earlier?.job;
  throw usedRequestId(`job "${earlier.job.id}"`);
}

/** The id of a job that came without one: it follows from the request, so that the request creates one job wherever it arrives. */
function idOf({ name }: JobConfig, requestId: string): string {
  return `${name.slice(0, 28)}-${sha256(requestId).slice(0, 10)}`;
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
