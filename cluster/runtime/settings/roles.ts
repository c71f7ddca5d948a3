import { z } from 'zod';
import { schedulerSchema } from '../../../src/config/scheduler.ts';
import { budgetsSchema, pricesSchema } from '../../../src/config/budgets.ts';
import { providersSchema } from '../../../src/config/providers.ts';
import type { RoleName } from '../../../src/protocol/roles.ts';
import { backend, clickhouseServer, credential, gpu, port, retention } from './fields.ts';

/** What hosts that join are given besides their certificate. */
const joining = z.strictObject({
  /** Folder with the authority (`ca.pem`, `ca.key`) and, in `join`, the secrets of all roles. */
  folder: z.string().min(1),
  /** Addresses of NATS, without a login. */
  natsUrl: z.string().min(1),
  /** Copies of streams. */
  replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).optional(),
  /** Where bundles and checkpoints are. */
  artifacts: z.record(z.string(), z.string()).optional(),
});

/** See {@link joining}. */
export type JoinSettings = z.infer<typeof joining>;

/** Serves the admin API and runs the jobs. */
const coordinator = z.strictObject({
  role: z.literal('coordinator'),
  /** Bearer token of the admin API. */
  token: credential,
  /** Bearer token of the gateway. */
  gatewayWorkToken: credential,
  /** For its calls to the store. */
  storeToken: credential,
  /** Which jobs run at the same time. */
  scheduler: schedulerSchema.optional(),
  /** What owners may spend, and what calls cost. Default: what was written before, else 100 dollars a month and no prices. */
  money: z.strictObject({ budgets: budgetsSchema, prices: pricesSchema }).optional(),
  /** What hosts that join are given. Default: the cluster has no TLS, and none can. */
  join: joining.optional(),
});

const parameterServer = z.strictObject({
  role: z.literal('parameter-server'),
  /** Bearer token that learners send. */
  workToken: credential,
});

const learner = z.strictObject({
  role: z.literal('learner'),
  /** For its calls to the parameter server. */
  workToken: credential,
  backend,
  /** The GPU that its process alone sees, for the log. */
  gpu: gpu.optional(),
});

/** Runs flows: it has no credential but its identity on NATS. */
const rollout = z.strictObject({ role: z.literal('rollout'), backend });

/** Runs rewards of users: it has no credential but its identity on NATS. */
const reward = z.strictObject({ role: z.literal('reward') });

/** Where the embedded engine answers as a ClickHouse server does, at 127.0.0.1. */
const clickhouseInterface = z.strictObject({
  /** 0: a free one; `auto`: 8123, or a free one when that is taken. */
  port: z.union([port, z.literal('auto')]),
  /** Password of user `reader`. */
  readToken: credential,
  /** Password of user `writer`. */
  writeToken: credential,
});

/** Settings of the embedded engine's ClickHouse interface. */
export type ClickHouseInterface = z.infer<typeof clickhouseInterface>;

/** The trajectory store: the embedded engine in the state folder, or a ClickHouse server. */
const store = z.strictObject({
  role: z.literal('store'),
  /** Bearer token that coordinators send. */
  storeToken: credential,
  /** Default: the embedded engine. */
  clickhouse: clickhouseServer.optional(),
  /** Default: none. There is none with a ClickHouse server. */
  clickhouseInterface: clickhouseInterface.optional(),
  /** Default: rows are kept for ever. */
  retention: retention.optional(),
});

/** HTTP for applications, people and web pages. Its tokens are its own; for the admin API it has one that a coordinator takes for some calls. */
const gateway = z.strictObject({
  role: z.literal('gateway'),
  /** Default: a free one. */
  port: port.optional(),
  /** Bearer tokens by the scope that they give. */
  gatewayMetricsToken: credential,
  gatewayReadToken: credential,
  gatewayWriteToken: credential,
  gatewayAdminToken: credential,
  /** For its calls to the coordinator, which takes it for those alone that routes of the gateway make. */
  gatewayWorkToken: credential,
  /** Where calls of language models go. Default: nowhere. */
  providers: providersSchema.optional(),
});

/**
 * Settings that a node hosts: one member a role, each with the credentials that this role needs and no others.
 * A key that the member does not name is refused.
 */
export const roleSettingsSchema = z.discriminatedUnion('role', [
  coordinator,
  parameterServer,
  learner,
  rollout,
  reward,
  store,
  gateway,
]);

/** Settings of one role. */
export type RoleSettings = z.infer<typeof roleSettingsSchema>;

/** Settings of role `R`. */
export type SettingsOf<R extends RoleName> = Extract<RoleSettings, { role: R }>;
