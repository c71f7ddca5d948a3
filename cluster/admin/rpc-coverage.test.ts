import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf } from '../../src/client/client.ts';
import type { MillraceClient } from '../../src/client/index.ts';
import { AdminService, JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { main } from '../cli/main.ts';
import { MemoryBackend } from './memory-backend.ts';
import { adminService } from './service.ts';

type Rpc = keyof typeof AdminService.method;

/** How an application calls each method of the admin API, and what people type. A new method does not compile without an entry. */
const CALLERS: Readonly<Record<Rpc, { client: (client: MillraceClient) => unknown; cli: string }>> = {
  createJob: { client: ({ jobs }) => jobs.create({ config: { name: 'a' }, flow: { bundle: 'b' } }), cli: 'job create job.yaml' },
  findMissingArtifacts: { client: (client) => client.uploadFlow({ flow: FLOW }), cli: 'agent register sorter flow.ts' },
  uploadArtifacts: { client: (client) => client.uploadFlow({ flow: FLOW }), cli: 'agent register other flow.ts' },
  getJob: { client: ({ jobs }) => jobs.get('a'), cli: 'job describe a' },
  listCheckpoints: { client: ({ jobs }) => jobs.checkpoints('a'), cli: 'job checkpoints a' },
  createSchedule: { client: ({ schedules }) => schedules.create({ name: 'a' }), cli: 'schedule create a job.yaml --cron @daily' },
  getSchedule: { client: ({ schedules }) => schedules.get('a'), cli: 'schedule show a' },
  listSchedules: { client: ({ schedules }) => schedules.list(), cli: 'schedule list' },
  pauseSchedule: { client: ({ schedules }) => schedules.pause('a'), cli: 'schedule pause a' },
  resumeSchedule: { client: ({ schedules }) => schedules.resume('a'), cli: 'schedule resume a' },
  deleteSchedule: { client: ({ schedules }) => schedules.delete('a'), cli: 'schedule delete a --yes' },
  listJobs: { client: ({ jobs }) => jobs.list().next(), cli: 'job list' },
  watchJob: { client: ({ jobs }) => jobs.watch('a').next(), cli: 'job watch a' },
  watchJobs: { client: ({ jobs }) => jobs.watchAll().next(), cli: 'job watch' },
  cancelJob: { client: ({ jobs }) => jobs.cancel('a'), cli: 'job cancel a' },
  pauseJob: { client: ({ jobs }) => jobs.pause('a'), cli: 'job pause a' },
  resumeJob: { client: ({ jobs }) => jobs.resume('a'), cli: 'job resume a' },
  evaluateJob: { client: ({ jobs }) => jobs.evaluate('a', { version: 3 }), cli: 'job evaluate a@3' },
  setJobPriority: { client: ({ jobs }) => jobs.setPriority('a', 5), cli: 'job set-priority a 5' },
  updateJobBudget: { client: ({ jobs }) => jobs.setBudget('a', { tokens: 5 }), cli: 'job set-budget a --tokens 5' },
  listBudgets: { client: ({ budgets }) => budgets.list(), cli: 'budget list' },
  getBudget: { client: ({ budgets }) => budgets.get('ann'), cli: 'budget show ann' },
  updateBudget: { client: ({ budgets }) => budgets.setLimit('ann', 5), cli: 'budget set ann 5' },
  registerAgent: { client: ({ agents }) => agents.register('a', { bundle: 'b' }), cli: 'agent register sorter flow.ts' },
  getAgent: { client: ({ agents }) => agents.get('a'), cli: 'agent show a' },
  listAgents: { client: ({ agents }) => agents.list(), cli: 'agent list' },
  publishAdapter: { client: ({ adapters }) => adapters.publish('a', 'j@1'), cli: 'adapter publish a j@1' },
  getAdapter: { client: ({ adapters }) => adapters.get('a'), cli: 'adapter show a' },
  listAdapters: { client: ({ adapters }) => adapters.list(), cli: 'adapter list' },
  promoteAdapter: { client: ({ adapters }) => adapters.promote('a', 'j@1'), cli: 'adapter promote a j@1' },
  rollBackAdapter: { client: ({ adapters }) => adapters.rollBack('a'), cli: 'adapter rollback a --from j@1' },
  servePolicy: { client: ({ adapters }) => adapters.serve('a', {}), cli: 'agent solve a --task {}' },
  recordReward: { client: ({ adapters }) => adapters.recordReward('t', true), cli: 'trajectory reward t --success' },
  createExperiment: { client: ({ experiments }) => experiments.create({ agent: 'a' }), cli: 'experiment create a j@2' },
  getExperiment: { client: ({ experiments }) => experiments.get('x'), cli: 'experiment show x' },
  listExperiments: { client: ({ experiments }) => experiments.list(), cli: 'experiment list' },
  decideExperiment: { client: ({ experiments }) => experiments.decide('x', 'promote'), cli: 'experiment decide x --promote' },
  stopExperiment: { client: ({ experiments }) => experiments.stop('x'), cli: 'experiment stop x' },
  listNodes: { client: ({ operations }) => operations.nodes(), cli: 'node list' },
  listActors: { client: ({ operations }) => operations.actors(), cli: 'actor list' },
  query: { client: (client) => client.query('SELECT 1'), cli: 'store sql SELECT(1)' },
  exportTrajectories: { client: (client) => next(client.exportTrajectories()), cli: 'trajectory export --job a' },
  importTrajectories: { client: (client) => client.importTrajectories(['{}']), cli: 'trajectory import rows.jsonl' },
  listDeadLetters: { client: ({ deadLetters }) => deadLetters.list().next(), cli: 'dlq list' },
  getDeadLetter: { client: ({ deadLetters }) => deadLetters.get(1n), cli: 'dlq show 1' },
  replayDeadLetters: { client: ({ deadLetters }) => deadLetters.replay([1n]), cli: 'dlq replay 1' },
  getStoreStats: { client: ({ operations }) => operations.storeStats(), cli: 'store stats' },
  pruneStore: { client: ({ operations }) => operations.pruneStore(60), cli: 'store prune --older-than 7d --yes' },
  createJoinToken: {
    client: ({ operations }) => operations.createJoinToken(['rollout']),
    cli: 'cluster token create --roles rollout',
  },
  createCredential: {
    client: ({ credentials }) => credentials.create('ana', ['read']),
    cli: 'credential create --name ana --scopes read',
  },
  listCredentials: { client: ({ credentials }) => credentials.list(), cli: 'credential list' },
  revokeCredential: { client: ({ credentials }) => credentials.revoke('ana'), cli: 'credential revoke ana' },
  rotateCredential: { client: ({ credentials }) => credentials.rotate('ana'), cli: 'credential rotate ana' },
  diagnose: { client: ({ operations }) => operations.diagnose(), cli: 'cluster check' },
  removeDamaged: { client: ({ operations }) => operations.removeDamaged('jobs/a'), cli: 'cluster check --remove jobs/a --yes' },
};

const FLOW = fileURLToPath(new URL('../../docs/shortest-flow/flow.ts', import.meta.url));
const RPCS = Object.keys(AdminService.method) as Rpc[];

const next = (items: AsyncIterable<unknown>): unknown => items[Symbol.asyncIterator]().next();

describe('every method of the admin API', () => {
  let folder: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-coverage-'));
    writeFileSync(join(folder, 'flow.ts'), `export { default } from ${JSON.stringify(FLOW)};\n`);
    writeFileSync(join(folder, 'job.yaml'), 'name: demo\nflow: flow.ts\n');
    const answer = { agent_id: 'x', adapter_version: 1, timestamp: null, metadata: { job: 'j' } };
    const row = { task_id: 't', input: 'a', response: 'b', score: 1, ...answer };
    writeFileSync(join(folder, 'rows.jsonl'), `${JSON.stringify(row)}\n`);
    const backend = new MemoryBackend();
    backend.jobs.set('a', create(JobSchema, { id: 'a', state: JobState.SUCCEEDED, configJson: '{}' }));
    server = await startServer({ services: [adminService(backend)] });
  });
  afterAll(async () => {
    await server.stop(100);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Calls that the server has taken of a method, whatever it answered. */
  const calls = (rpc: Rpc): number =>
    server
      .metrics()
      .filter(({ method }) => method.endsWith(`/${AdminService.method[rpc].name}`))
      .reduce((sum, { active, calls: over }) => sum + active + Object.values(over).reduce((a, b) => a + b, 0), 0);

  it.each(RPCS)('%s has a method of the client', async (rpc) => {
    const called: string[] = [];
    const answer = { missing: ['d'.repeat(64)], jobs: [], nextPageToken: '' };
    const admin = new Proxy({} as MillraceClient['admin'], {
      get: (_, method: string) => () => {
        called.push(method);
        return Object.assign(Promise.resolve(answer), { [Symbol.asyncIterator]: () => [][Symbol.iterator]() });
      },
    });
    await Promise.resolve(CALLERS[rpc].client(clientOf(admin, 0))).catch(() => undefined);
    expect(called).toContain(rpc);
  });

  it.each(RPCS)('%s has a verb of the command line', async (rpc) => {
    const before = calls(rpc);
    const output = { write: () => true };
    const interrupt = new AbortController();
    const env = { MILLRACE_ADDRESS: server.address };
    const done = main(CALLERS[rpc].cli.split(' '), {
      stdout: output,
      stderr: output,
      env,
      cwd: folder,
      signal: interrupt.signal,
    });
    await expect.poll(() => calls(rpc), { interval: 5 }).toBeGreaterThan(before);
    interrupt.abort();
    await done;
  });
});
