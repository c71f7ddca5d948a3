import { z } from 'zod';
import { natsAccessSchema } from '../../../src/config/nats.ts';
import { tlsSchema } from '../../../src/config/tls.ts';
import type { RoleName } from '../../../src/protocol/roles.ts';
import { LOG_LEVELS } from '../../../src/telemetry/log-levels.ts';
import { IDENTITIES, type Identity } from '../../infra/nats/access.ts';
import { credential, port } from './fields.ts';
import { roleSettingsSchema, type RoleSettings, type SettingsOf } from './roles.ts';

/** An identity on the cluster's own nats-server, with its password. */
const natsLogin = z.strictObject({ identity: z.enum(IDENTITIES), password: credential });

/** One of {@link IDENTITIES} with its password. */
export type NatsLogin = z.infer<typeof natsLogin>;

const s3 = z.strictObject({
  url: z.string().min(1),
  endpoint: z.string().min(1).optional(),
  region: z.string().min(1).optional(),
});

/** Settings of a node process: those of every node, and a section for each role that it hosts. */
export const nodeSettingsSchema = z.strictObject({
  /** Unique in the cluster; part of NATS subjects and file names. */
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'letters, digits, "_" and "-"'),
  /** Addresses, with commas between them. */
  natsUrl: z.string().min(1),
  /** How servers that ran already are reached, and how many copies of streams they keep. */
  natsAccess: natsAccessSchema.optional(),
  /** Who it is on the cluster's own nats-server; absent for a server that ran already, whose address says it. */
  nats: natsLogin.optional(),
  /** What it shows its peers, and checks theirs with. Default: no TLS. */
  tls: tlsSchema.optional(),
  /** Folder for checkpoints and logs and, with role `store`, the embedded database. */
  stateDir: z.string().min(1),
  /** An S3 store, or a folder of several hosts, for bundles and checkpoints. Default: they are in the state folder. */
  artifacts: z.union([s3, z.strictObject({ dir: z.string().min(1) })]).optional(),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  /** Port of its gRPC server, if a role has one. Default: a free one. */
  grpcPort: port.optional(),
  /** Port on which it serves metrics to Prometheus. Default: a free one. */
  metricsPort: port.optional(),
  /** The address that its servers listen on, and the name that others reach it by. Default: 127.0.0.1. */
  listening: z.strictObject({ bind: z.string().min(1), advertise: z.string().min(1) }).optional(),
  roles: z
    .array(roleSettingsSchema)
    .min(1, 'at least one role')
    .refine((roles) => new Set(roles.map(({ role }) => role)).size === roles.length, 'each role once'),
});

/** Settings of a node. */
export type NodeSettings = z.infer<typeof nodeSettingsSchema>;

/** The roles that a node hosts. */
export const roleNames = ({ roles }: Pick<NodeSettings, 'roles'>): RoleName[] => roles.map(({ role }) => role);

/** The section of a role; undefined when the node does not host it. */
export function settingsOf<R extends RoleName>({ roles }: Pick<NodeSettings, 'roles'>, role: R): SettingsOf<R> | undefined {
  return roles.find((each: RoleSettings): each is SettingsOf<R> => each.role === role);
}

/** Who a node of these roles is on the cluster's own nats-server: several roles need the rights of all of them. */
export function identityOf(roles: readonly RoleName[]): Identity {
  return roles.length === 1 ? roles[0]! : 'admin';
}
