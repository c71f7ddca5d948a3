import { equals } from '@bufbuild/protobuf';
import { checkJobPaths, parseJobConfig } from '../../src/config/load.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { AdminService, JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { defineService } from '../../src/rpc/handlers.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import { weightSource } from '../jobs/weight-source.ts';
import type { AdminBackend, CreateJobOptions } from './backend.ts';
import { exportRequest } from './export.ts';
import { latest } from './latest.ts';
import { pageOfJobs } from './page.ts';
import { queryMessages } from './query-rows.ts';
import { checkPrune } from './store-care.ts';
import { checkCount, checkJobId, checkNodeId, checkOwner, checkPlace, checkPriority, checkSql } from './validation.ts';

/** True for SUCCEEDED, FAILED and CANCELLED, and for UNREADABLE: nothing is heard of such a job any more. */
export function isEndState(state: JobState): boolean {
  return (
    state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED || state === JobState.UNREADABLE
  );
}

/** The admin API (admin.proto) over a backend, ready for `startServer`. */
export function adminService(backend: AdminBackend): ServiceRegistration {
  return defineService(AdminService, {
    createJob: async ({ jobId, configJson, from, owner, priority }) => {
      if (jobId !== '') checkJobId(jobId);
      if (configJson === '') {
        throw new MillraceError('invalid_argument', 'is missing; give the job configuration as JSON.', { field: 'config_json' });
      }
      const config = parseJobConfig(configJson);
      checkJobPaths(config);
      const options = { from: weightSource(from), owner: checkOwner(owner), priority: checkPriority(priority) };
      return { job: await (jobId === '' ? createNumbered(backend, config, options) : backend.createJob(jobId, config, options)) };
    },
    getJob: async ({ jobId }) => ({ job: await backend.getJob(checkJobId(jobId)) }),
    listJobs: async ({ pageSize, pageToken }) => {
      const size = checkCount('page_size', pageSize, { min: 1, max: 1000, byDefault: 50 });
      return pageOfJobs(await backend.listJobs(), size, pageToken);
    },
    watchJob: ({ jobId }, { signal }) => watch(backend, checkJobId(jobId), signal),
    cancelJob: async ({ jobId }) => ({ job: await backend.cancelJob(checkJobId(jobId)) }),
    pauseJob: async ({ jobId }) => ({ job: await backend.pauseJob(checkJobId(jobId)) }),
    resumeJob: async ({ jobId }) => ({ job: await backend.resumeJob(checkJobId(jobId)) }),
    listNodes: async () => ({ nodes: sorted(await backend.listNodes(), (node) => node.id) }),
    listActors: async ({ nodeId }) => ({
      actors: sorted(await backend.listActors(checkNodeId(nodeId)), (actor) => actor.address),
    }),
    query: ({ sql, maxRows }, { signal }) => query(backend, sql, maxRows, signal),
    exportTrajectories: (request, { signal }) => {
      exportRequest(request);
      return backend.exportTrajectories(request, signal);
    },
    importTrajectories: (request, { signal }) => backend.importTrajectories(request, signal),
    listDeadLetters: (request) => backend.deadLetters.listDeadLetters(request),
    getDeadLetter: (request) => backend.deadLetters.getDeadLetter(request),
    replayDeadLetters: (request) => backend.deadLetters.replayDeadLetters(request),
    getStoreStats: () => backend.getStoreStats(),
    diagnose: () => backend.diagnosis.diagnose(),
    removeDamaged: ({ place }) => backend.diagnosis.removeDamaged(checkPlace(place)),
    pruneStore: (request) => backend.pruneStore(checkPrune(request)),
  });
}

async function* watch(backend: AdminBackend, id: string, signal: AbortSignal): AsyncGenerator<{ job: Job }> {
  const over = new AbortController();
  let sent: Job | undefined;
  try {
    for await (const job of latest(backend.watchJob(id, AbortSignal.any([signal, over.signal])), signal)) {
      if (sent && equals(JobSchema, sent, job)) continue;
      yield { job };
      if (isEndState(job.state)) return;
      sent = job;
    }
    throw new MillraceError('unavailable', `The watch of job ${id} has ended before the job; watch it again.`);
  } finally {
    over.abort();
  }
}

async function* query(backend: AdminBackend, sql: string, maxRows: number, signal: AbortSignal): AsyncGenerator<object> {
  const rows = checkCount('max_rows', maxRows, { min: 1, max: 100_000, byDefault: 10_000 });
  yield* queryMessages(await backend.query(checkSql(sql), rows, signal));
}

/** A job that came without an id gets its name and the next number: retail-1, retail-2 ... */
async function createNumbered(backend: AdminBackend, config: JobConfig, options: CreateJobOptions): Promise<Job> {
  const stem = config.name.slice(0, 32);
  const taken = (await backend.listJobs()).map(({ id }) => Number(id.startsWith(`${stem}-`) ? id.slice(stem.length + 1) : NaN));
  for (let number = Math.max(0, ...taken.filter(Number.isInteger)) + 1; ; number += 1) {
    try {
      return await backend.createJob(`${stem}-${number}`, config, options);
    } catch (error) {
      // Somebody else took the number meanwhile.
      if (MillraceError.from(error).code !== 'already_exists') throw error;
    }
  }
}

function sorted<T>(items: T[], key: (item: T) => string): T[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}
