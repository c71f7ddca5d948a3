import { resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { LOG_LEVELS } from '../telemetry/log-levels.ts';
import { budgetsSchema, pricesSchema } from './budgets.ts';
import { COMPUTE_BACKENDS } from './compute-backends.ts';
import type { ConfigSource, Environment } from './layers.ts';
import { natsProblem, natsSchema } from './nats.ts';
import { networkSchema } from './network.ts';
import { isSecretField } from './problems.ts';
import { providersSchema } from './providers.ts';
import { resolve } from './resolve.ts';
import { schedulerSchema } from './scheduler.ts';
import { tlsSchema } from './tls.ts';
import { readYamlFile } from './yaml-file.ts';

const port = (what: string) => z.int().min(0).max(65_535).default(0).describe(`port of ${what}; 0 = any free port`);
const workers = (what: string, usual: number) => z.int().min(1).max(256).default(usual).describe(`number of ${what} processes`);
const url = (protocol: RegExp, example: string) => z.url({ protocol, hostname: /.*/ }).optional().describe(`like ${example}`);

const secret = (what: string) =>
  z.string().min(16).optional().describe(`${what}, at least 16 characters; generated and kept in the state folder when absent`);

/** Hours and more: the store looks for old rows a few times a day. */
const retention = (what: string) =>
  z
    .string()
    .regex(/^([1-9]\d{0,4}[hdw]|forever)$/, 'expected an age like 12h, 30d or 8w, or forever')
    .default('forever')
    .describe(`how long the store keeps ${what}; an age like 12h, 30d or 8w, or forever`);

/** What `millrace up` and the node processes need to know; nothing of it is about a job. */
export const clusterConfigSchema = z.strictObject({
  stateDir: z.string().min(1).default('.millrace').describe('folder for logs, checkpoints, streams and the embedded store'),
  credentialsDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      'folder with the tokens and NATS passwords that the roles of millrace node run need; credentials in the state folder when absent',
    ),
  network: networkSchema.prefault({}),
  learners: z
    .union([z.int().min(1).max(64), z.literal('auto')])
    .default('auto')
    .describe('number of learner processes; auto = one per GPU, or without GPUs one per core, at most eight'),
  cores: z
    .union([z.int().min(1).max(256), z.literal('auto')])
    .default('auto')
    .describe('cores assumed by learners: auto; auto = all cores of the machine'),
  compute: z
    .strictObject({
      backend: z
        .enum(COMPUTE_BACKENDS)
        .optional()
        .describe('compute backend of learners and rollouts; the fastest that works when absent'),
    })
    .prefault({}),
  rollouts: workers('rollout', 2),
  rewards: workers('reward', 1),
  parameterServers: z.int().min(1).max(64).default(1).describe('number of parameter server processes; jobs are spread over them'),
  ports: z
    .strictObject({
      admin: port('the admin API (gRPC)'),
      gateway: z
        .union([z.int().min(0).max(65_535), z.literal('off')])
        .default(0)
        .describe('port of the gateway (HTTP); 0 = any free port; off = no gateway'),
      clickhouse: z
        .union([z.int().min(0).max(65_535), z.enum(['auto', 'off'])])
        .default('auto')
        .describe(
          "port of the embedded engine's ClickHouse HTTP interface; auto = 8123, or a free port if taken; 0 = any free port",
        ),
    })
    .prefault({}),
  nats: natsSchema
    .superRefine((nats, context) => {
      const problem = natsProblem(nats);
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [problem.field], message: problem.message });
    })
    .prefault({}),
  tls: tlsSchema.optional().describe('TLS of gRPC and of the gateway; none when absent'),
  clickhouse: z
    .strictObject({
      url: url(/^https?$/, 'http://host:8123').describe(
        'a ClickHouse server, like http://host:8123; the embedded engine when absent',
      ),
      user: z.string().min(1).default('default').describe('ClickHouse user'),
      password: z.string().default('').describe('ClickHouse password'),
      database: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/)
        .default('millrace')
        .describe('ClickHouse database: letters, digits and "_"'),
      caFile: z.string().min(1).optional().describe('PEM file of the certificate authority of the server'),
      certFile: z.string().min(1).optional().describe('PEM file of a client certificate'),
      keyFile: z.string().min(1).optional().describe("PEM file of the client certificate's key"),
      cluster: z.string().min(1).optional().describe('create the tables on every host of this ClickHouse cluster'),
      replicated: z.boolean().optional().describe('create replicated tables; default: true with a cluster'),
      readToken: secret("password of user reader on the embedded engine's HTTP interface"),
      readTokenFile: z.string().min(1).optional().describe('file that holds readToken'),
      writeToken: secret("password of user writer on the embedded engine's HTTP interface"),
      writeTokenFile: z.string().min(1).optional().describe('file that holds writeToken'),
    })
    .prefault({}),
  artifacts: z
    .strictObject({
      url: z
        .string()
        .regex(/^s3:\/\/[^/]+(\/.*)?$/, 'expected an address like s3://bucket/prefix')
        .optional()
        .describe(
          'where bundles and checkpoints are kept, like s3://bucket/prefix; credentials come from the standard environment of AWS; the state folder when absent',
        ),
      dir: z
        .string()
        .min(1)
        .optional()
        .describe(
          'folder where bundles and checkpoints are kept in place of artifacts.url; hosts of one cluster mount the same one',
        ),
      endpoint: url(/^https?$/, 'http://host:9000').describe("an S3 store that is not Amazon's, like http://host:9000"),
      region: z.string().min(1).optional().describe('region of the bucket; AWS_REGION, else us-east-1 when absent'),
    })
    .refine(({ url, dir }) => url === undefined || dir === undefined, {
      path: ['dir'],
      error: 'is one place of artifacts, artifacts.url another; one of them is enough',
    })
    .prefault({}),
  store: z
    .strictObject({
      retention: z
        .strictObject({
          steps: retention('rows of table steps'),
          trajectories: retention('rows of table trajectories'),
          text: retention('long texts of both tables (arguments, result, conversations, answer, failure_message); the rows stay'),
          tokens: retention('ids and log-probabilities of the tokens of steps; the rows and their texts stay'),
        })
        .prefault({}),
    })
    .prefault({}),
  scheduler: schedulerSchema.prefault({}),
  budgets: budgetsSchema,
  prices: pricesSchema,
  providers: providersSchema,
  logLevel: z.enum(LOG_LEVELS).default('info').describe('lowest severity that is logged'),
  token: secret('bearer token of the admin API (gRPC)'),
  tokenFile: z.string().min(1).optional().describe('file that holds token'),
});

/** Settings of a cluster with all defaults filled in. */
export type ClusterConfig = z.infer<typeof clusterConfigSchema>;

/** Variables with this prefix are settings: MILLRACE_CLUSTER__PORTS__ADMIN=7000 is ports.admin. */
export const CLUSTER_ENV_PREFIX = 'MILLRACE_CLUSTER__';

/** Variables with names that people know, and the setting each stands for. */
export const CLUSTER_ENV_NAMES: Readonly<Record<string, string>> = {
  CLICKHOUSE_URL: 'clickhouse.url',
  CLICKHOUSE_USER: 'clickhouse.user',
  CLICKHOUSE_PASSWORD: 'clickhouse.password',
  CLICKHOUSE_DATABASE: 'clickhouse.database',
  CLICKHOUSE_CA_FILE: 'clickhouse.caFile',
  CLICKHOUSE_CERT_FILE: 'clickhouse.certFile',
  CLICKHOUSE_KEY_FILE: 'clickhouse.keyFile',
  CLICKHOUSE_CLUSTER: 'clickhouse.cluster',
  CLICKHOUSE_REPLICATED: 'clickhouse.replicated',
  MILLRACE_GATEWAY_PORT: 'ports.gateway',
  MILLRACE_CLICKHOUSE_PORT: 'ports.clickhouse',
  MILLRACE_CLICKHOUSE_READ_TOKEN: 'clickhouse.readToken',
  MILLRACE_CLICKHOUSE_READ_TOKEN_FILE: 'clickhouse.readTokenFile',
  MILLRACE_CLICKHOUSE_WRITE_TOKEN: 'clickhouse.writeToken',
  MILLRACE_CLICKHOUSE_WRITE_TOKEN_FILE: 'clickhouse.writeTokenFile',
  MILLRACE_TLS_CA: 'tls.caFile',
  MILLRACE_TLS_CERT: 'tls.certFile',
  MILLRACE_TLS_KEY: 'tls.keyFile',
  NATS_URL: 'nats.url',
  NATS_USER: 'nats.user',
  NATS_PASSWORD: 'nats.password',
  NATS_CREDS: 'nats.credsFile',
  NATS_NKEY: 'nats.nkeyFile',
  NATS_CA: 'nats.caFile',
  NATS_CERT: 'nats.certFile',
  NATS_KEY: 'nats.keyFile',
  MILLRACE_STATE_DIR: 'stateDir',
  MILLRACE_STATE: 'stateDir',
  MILLRACE_CREDENTIALS_DIR: 'credentialsDir',
  MILLRACE_LOG_LEVEL: 'logLevel',
  MILLRACE_COMPUTE_BACKEND: 'compute.backend',
  MILLRACE_TOKEN: 'token',
  MILLRACE_TOKEN_FILE: 'tokenFile',
};

/** Flags that are spelled otherwise than the setting each stands for. */
const CLUSTER_FLAG_NAMES: Readonly<Record<string, string>> = {
  stateDir: 'state',
  parameterServers: 'parameter-servers',
  'ports.gateway': 'gateway-port',
  'ports.clickhouse': 'clickhouse-port',
  tokenFile: 'token-file',
};

/** Options of {@link loadClusterConfig}. */
export interface LoadClusterOptions {
  /** A YAML file of settings; none by default. */
  readonly file?: string;
  /** Default: none; the CLI passes process.env. */
  readonly env?: Environment;
  /** `key.path=value` texts. */
  readonly overrides?: readonly string[];
  /** Values of named flags by dotted path; undefined ones are skipped. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Folder that relative paths are in: `stateDir`, `credentialsDir`, `artifacts.dir`, the files of `tls`, and `file`. Default: the working directory. */
  readonly cwd?: string;
}

/** Settings, and by dotted path where each comes from. */
export interface LoadedCluster {
  /** `stateDir`, `credentialsDir`, `artifacts.dir`, and the files of `tls` and `providers` are absolute. */
  readonly config: ClusterConfig;
  readonly sources: Record<string, ConfigSource>;
}

/**
 * Reads the cluster's settings: defaults < file < environment < flags.
 *
 * @throws MillraceError invalid_argument with a line for each problem; not_found for a missing file.
 */
export function loadClusterConfig(options: LoadClusterOptions = {}): LoadedCluster {
  const cwd = options.cwd ?? process.cwd();
  const path = options.file === undefined ? undefined : resolvePath(cwd, options.file);
  refuseSecrets(options.overrides ?? []);
  const { config, sources } = resolve(clusterConfigSchema, {
    ...(path === undefined ? {} : { file: readYamlFile(path) }),
    name: path ?? 'cluster settings',
    envPrefix: CLUSTER_ENV_PREFIX,
    envNames: CLUSTER_ENV_NAMES,
    env: options.env ?? {},
    overrides: options.overrides ?? [],
    flags: options.flags ?? {},
    flagNames: CLUSTER_FLAG_NAMES,
  });
  const { stateDir, credentialsDir, artifacts } = config;
  const folders = {
    stateDir: resolvePath(cwd, stateDir),
    ...(credentialsDir !== undefined && { credentialsDir: resolvePath(cwd, credentialsDir) }),
    artifacts: { ...artifacts, ...(artifacts.dir !== undefined && { dir: resolvePath(cwd, artifacts.dir) }) },
  };
  const providers = Object.fromEntries(
    Object.entries(config.providers).map(([name, provider]) => {
      const { keyFile } = provider;
      return [name, keyFile === undefined ? provider : { ...provider, keyFile: resolvePath(cwd, keyFile) }];
    }),
  );
  const tls = config.tls && {
    caFile: resolvePath(cwd, config.tls.caFile),
    certFile: resolvePath(cwd, config.tls.certFile),
    keyFile: resolvePath(cwd, config.tls.keyFile),
  };
  return { config: { ...config, ...folders, providers, ...(tls && { tls }) }, sources };
}

/** Every account of the machine can read the arguments of a process. */
function refuseSecrets(overrides: readonly string[]): void {
  const named = overrides.map((text) => text.split('=')[0]!.trim()).find((name) => isSecretField(name));
  if (named === undefined) return;
  throw new MillraceError(
    'invalid_argument',
    `--set ${named}: other accounts can read arguments; put it into the file of --config, an environment variable or a file of its own.`,
    { field: named },
  );
}

/** The settings without their secrets, for printing. */
export function withoutSecrets(config: ClusterConfig): ClusterConfig {
  const hidden = (value: string): string => (value === '' ? '' : '***');
  const hiddenIn = (addresses: string): string => addresses.replace(/\/\/[^@/,]*@/g, '//***@');
  const { clickhouse, nats, token } = config;
  return {
    ...config,
    clickhouse: {
      ...clickhouse,
      password: hidden(clickhouse.password),
      ...(clickhouse.readToken === undefined ? {} : { readToken: hidden(clickhouse.readToken) }),
      ...(clickhouse.writeToken === undefined ? {} : { writeToken: hidden(clickhouse.writeToken) }),
      ...(clickhouse.url === undefined ? {} : { url: hiddenIn(clickhouse.url) }),
    },
    nats: {
      ...nats,
      ...(nats.url === undefined ? {} : { url: hiddenIn(nats.url) }),
      ...(nats.password === undefined ? {} : { password: hidden(nats.password) }),
      ...(nats.token === undefined ? {} : { token: hidden(nats.token) }),
    },
    ...(token === undefined ? {} : { token: hidden(token) }),
  };
}
