import { AdminService, JobSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { defineService } from '../../src/rpc/handlers.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import { accessMethods } from '../access/methods.ts';
import { agentMessage, registerAgent } from './agents.ts';
import type { AdminBackend } from './backend.ts';
import { jobBudgetChange } from './budgets.ts';
import { createJob, evaluateJob } from './create-job.ts';
import { exportRequest } from './export.ts';
import { pageOfJobs } from './page.ts';
import { queryMessages } from './query-rows.ts';
import { ownedBy } from './owned-by.ts';
import { readMask } from './read-mask.ts';
import { servingMethods } from './serving/methods.ts';
import { checkPrune } from './store-care.ts';
import { checkAgentName, checkCount, checkJobId, checkNodeId, checkPlace, checkPriority, checkSql } from './validation.ts';
import { watchJob, watchJobs } from './watch.ts';

/** The admin API (admin.proto) over a backend, ready for `startServer`. */
export function adminService(backend: AdminBackend): ServiceRegistration {
  return defineService(AdminService, {
    findMissingArtifacts: (request) => backend.uploads.findMissing(request),
    uploadArtifacts: (requests) => backend.uploads.upload(requests),
    createJob: async (request, { caller }) => ({ job: await createJob(backend, ownedBy(caller, request)) }),
    listCheckpoints: async ({ jobId }) => ({ checkpoints: await backend.listCheckpoints(checkJobId(jobId)) }),
    getJob: async ({ jobId, readMask: mask }) => ({ job: readMask(JobSchema, mask)(await backend.getJob(checkJobId(jobId))) }),
    listJobs: async (request) => {
      const pageSize = checkCount('page_size', request.pageSize, { min: 1, max: 1000, byDefault: 50 });
      const mask = readMask(JobSchema, request.readMask);
      const { listings, nextPageToken } = pageOfJobs(await backend.listJobs(), { ...request, pageSize });
      return { jobs: (await Promise.all(listings.map((listing) => listing.view()))).map(mask), nextPageToken };
    },
    createSchedule: ({ schedule }, { caller }) =>
      backend.schedules.createSchedule({ schedule: schedule && ownedBy(caller, schedule) }),
    getSchedule: (request) => backend.schedules.getSchedule(request),
    listSchedules: () => backend.schedules.listSchedules(),
    pauseSchedule: (request) => backend.schedules.pauseSchedule(request),
    resumeSchedule: (request) => backend.schedules.resumeSchedule(request),
    deleteSchedule: (request) => backend.schedules.deleteSchedule(request),
    watchJob: (request, { signal }) => watchJob(backend, request, signal),
    watchJobs: (request, { signal }) => watchJobs(backend, request, signal),
    cancelJob: async ({ jobId }) => ({ job: await backend.cancelJob(checkJobId(jobId)) }),
    pauseJob: async ({ jobId }) => ({ job: await backend.pauseJob(checkJobId(jobId)) }),
    resumeJob: async ({ jobId }) => ({ job: await backend.resumeJob(checkJobId(jobId)) }),
    evaluateJob: async (request, { caller }) => ({ job: await evaluateJob(backend, request, caller?.owner) }),
    setJobPriority: async ({ jobId, priority }) => ({
      job: await backend.setPriority(checkJobId(jobId), checkPriority(priority)),
    }),
    updateJobBudget: async (request) => ({
      job: await backend.updateJobBudget(checkJobId(request.jobId), jobBudgetChange(request)),
    }),
    listBudgets: (request) => backend.budgets.listBudgets(request),
    getBudget: (request) => backend.budgets.getBudget(request),
    updateBudget: (request) => backend.budgets.updateBudget(request),
    createJoinToken: (request) => backend.joins.createJoinToken(request),
    ...accessMethods(backend.credentials),
    registerAgent: async (request, { caller }) => ({ agent: await registerAgent(backend, ownedBy(caller, request)) }),
    getAgent: async ({ name }) => ({ agent: agentMessage(await backend.agents.get(checkAgentName(name))) }),
    listAgents: async () => ({ agents: (await backend.agents.list()).map(agentMessage) }),
    ...servingMethods(backend.serving),
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

async function* query(backend: AdminBackend, sql: string, maxRows: number, signal: AbortSignal): AsyncGenerator<object> {
  const rows = checkCount('max_rows', maxRows, { min: 1, max: 100_000, byDefault: 10_000 });
  yield* queryMessages(await backend.query(checkSql(sql), rows, signal));
}

function sorted<T>(items: T[], key: (item: T) => string): T[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}
