import type { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import type { JoinService } from '../gen/millrace/v1/join_pb.ts';
import type { ParameterServerService } from '../gen/millrace/v1/learner_pb.ts';
import type { StoreService } from '../gen/millrace/v1/store_pb.ts';
import type { Scope } from './scopes.ts';

/** One entry a method: a new one does not compile without. */
type Methods<S extends { method: object }, Needed> = Readonly<Record<keyof S['method'], Needed>>;

/** What each method of the admin API takes. */
export const ADMIN_SCOPES: Methods<typeof AdminService, Scope> = {
  // A flow that is uploaded runs on the cluster's nodes.
  createJob: 'train',
  findMissingArtifacts: 'train',
  uploadArtifacts: 'train',
  registerAgent: 'train',
  cancelJob: 'train',
  pauseJob: 'train',
  resumeJob: 'train',
  evaluateJob: 'train',
  setJobPriority: 'train',
  updateJobBudget: 'train',
  createSchedule: 'train',
  pauseSchedule: 'train',
  resumeSchedule: 'train',
  deleteSchedule: 'train',
  importTrajectories: 'train',
  publishAdapter: 'train',
  promoteAdapter: 'train',
  rollBackAdapter: 'train',
  createExperiment: 'train',
  decideExperiment: 'train',
  stopExperiment: 'train',

  servePolicy: 'serve',
  recordReward: 'serve',

  getJob: 'read',
  listJobs: 'read',
  watchJob: 'read',
  watchJobs: 'read',
  listCheckpoints: 'read',
  getSchedule: 'read',
  listSchedules: 'read',
  listBudgets: 'read',
  getBudget: 'read',
  getAgent: 'read',
  listAgents: 'read',
  getAdapter: 'read',
  listAdapters: 'read',
  getExperiment: 'read',
  listExperiments: 'read',
  listNodes: 'read',
  listActors: 'read',
  query: 'read',
  exportTrajectories: 'read',
  listDeadLetters: 'read',
  getDeadLetter: 'read',
  getStoreStats: 'read',
  diagnose: 'read',

  updateBudget: 'admin',
  replayDeadLetters: 'admin',
  pruneStore: 'admin',
  removeDamaged: 'admin',
  createJoinToken: 'admin',
  createCredential: 'admin',
  listCredentials: 'admin',
  revokeCredential: 'admin',
  rotateCredential: 'admin',
};

/** Open: who joins shows a token of its own, in the request. */
export const JOIN_SCOPES: Methods<typeof JoinService, 'open'> = { getAuthority: 'open', join: 'open' };
/** For the token that nodes have for each other (`work.token`). */
export const TRAINER_SCOPES: Methods<typeof ParameterServerService, 'node'> = { work: 'node' };
/** For the token that coordinators have for the store (`store.token`). */
export const STORE_SCOPES: Methods<typeof StoreService, 'node'> = {
  runQuery: 'node',
  readTrajectories: 'node',
  writeTrajectories: 'node',
  readStats: 'node',
  prune: 'node',
};

/** Methods of the admin API that the gateway's JSON-RPC offers as `admin.<Method>`, for what they take in the admin API. */
export const JSON_RPC_ADMIN_METHODS = [
  ...(['getJob', 'listJobs', 'listCheckpoints', 'listNodes', 'listActors', 'listBudgets', 'listAdapters'] as const),
  ...(['listExperiments', 'getExperiment', 'listSchedules', 'listDeadLetters', 'getStoreStats'] as const),
  ...(['pauseJob', 'resumeJob', 'cancelJob', 'setJobPriority'] as const),
] satisfies readonly (keyof typeof AdminService.method)[];

/** Methods of the admin API that routes of the gateway call; its own token is for no others. */
export const GATEWAY_METHODS: readonly (keyof typeof AdminService.method)[] = [
  ...JSON_RPC_ADMIN_METHODS,
  ...(['createJob', 'evaluateJob', 'exportTrajectories', 'watchJob', 'watchJobs', 'query'] as const),
];

/**
 * What each route of the gateway takes, by method and path as they are in its `Route`, or `/*` for all names in a folder; WebSockets are GET.
 * `open`: no credential; `session`: the key of an agent's session, which opens nothing else.
 */
export const HTTP_SCOPES: Readonly<Record<string, RouteScope>> = {
  'GET /healthz': 'open',
  'GET /readyz': 'read',
  'GET /metrics': 'metrics',
  // The least that any of its methods takes.
  'POST /rpc': 'read',
  // The page holds nothing of the cluster.
  'GET /': 'open',
  'GET /assets/*': 'open',
  'POST /login/ticket': 'train',
  // What is sent says who logs in; nobody else is told of a login but its browser.
  'POST /session': 'open',
  'GET /session': 'open',
  'DELETE /session': 'open',
  'GET /live': 'read',
  // An agent does not make, score or end its own sessions.
  'POST /v1/sessions': 'serve',
  'POST /v1/sessions/{id}/reward': 'serve',
  'POST /v1/sessions/{id}/finish': 'serve',
  'POST /v1/chat/completions': 'session',
  'GET /v1/models': 'session',
};

/** What a route may take; see {@link HTTP_SCOPES}. */
export type RouteScope = Scope | 'open' | 'session';

/** What a route takes; undefined when the table does not say. */
export function httpScope(table: typeof HTTP_SCOPES, method: string, path: string): RouteScope | undefined {
  return table[`${method} ${path}`] ?? table[`${method} ${path.slice(0, path.lastIndexOf('/'))}/*`];
}

/** What each method of the gateway's JSON-RPC takes. */
export const JSON_RPC_SCOPES: Readonly<Record<string, Scope>> = {
  'training.start_grpo': 'train',
  'training.get_status': 'read',
  'training.evaluate': 'train',
  'training.export_trajectories': 'read',
  'training.cancel': 'train',
  'training.pause': 'train',
  'training.resume': 'train',
  'query.sql': 'read',
  'query.run': 'read',
  'query.list': 'read',
  ...Object.fromEntries(
    JSON_RPC_ADMIN_METHODS.map((name) => [`admin.${name.charAt(0).toUpperCase()}${name.slice(1)}`, ADMIN_SCOPES[name]]),
  ),
};
