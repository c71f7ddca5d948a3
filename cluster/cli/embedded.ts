import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseAge } from '../../src/config/age.ts';
import { loadClusterConfig, type ClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Retention } from '../../src/store/retention.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../up.ts';
import { makeStateFolder } from '../up/state-folder.ts';
import type { CliContext } from './context.ts';
import { serverOf } from './store-at-rest.ts';

/** Options that `up` and `train` share. */
export interface EmbeddedFlags {
  config?: string;
  learners?: string;
  rollouts?: string;
  clickhousePort?: string;
  set?: string[];
}

/** A cluster of this command, and the folder of what it keeps. */
export interface OwnCluster extends EmbeddedCluster {
  stateDir: string;
}

/** The settings of the cluster that a command is to start, from file, environment and flags. */
export function clusterSettings(context: CliContext, flags: EmbeddedFlags, overrides: readonly string[] = []): ClusterConfig {
  return loadClusterConfig({
    env: context.env,
    cwd: context.cwd,
    overrides,
    ...(flags.config !== undefined && { file: flags.config }),
    flags: {
      stateDir: context.flags.state,
      token: context.flags.token,
      learners: asNumber(flags.learners),
      rollouts: asNumber(flags.rollouts),
      'ports.clickhouse': asNumber(flags.clickhousePort),
    },
  }).config;
}

/** Starts the embedded cluster. From then on the command calls this one, even if an address of another is given. */
export async function startCluster(context: CliContext, config: ClusterConfig): Promise<OwnCluster> {
  const { stateDir, clickhouse, nats, ports, logLevel, token } = config;
  const logs = makeStateFolder(stateDir);
  context.logs = logs;
  const cluster = await startEmbeddedCluster({
    stateDir,
    learners: config.learners,
    cores: config.cores,
    backend: config.compute.backend,
    rollouts: config.rollouts,
    rewards: config.rewards,
    port: ports.admin,
    token,
    clickhouse: serverOf(clickhouse),
    clickhousePort: ports.clickhouse,
    clickhouseWriteToken: writeToken(clickhouse, context.cwd),
    retention: retentionOf(config.store.retention),
    natsUrl: nats.url,
    logLevel,
    log: createLogger({ name: 'millrace', node: 'supervisor', level: logLevel, file: join(logs, 'supervisor.log') }),
    signal: context.signal,
    onProgress: (text) => context.note(text),
  });
  context.own = { address: cluster.address, token };
  return { ...cluster, stateDir };
}

/** Throws `invalid_argument` for a file that cannot be read or holds no token. */
function writeToken({ writeToken: token, writeTokenFile }: ClusterConfig['clickhouse'], cwd: string): string | undefined {
  if (token !== undefined || writeTokenFile === undefined) return token;
  const field = 'clickhouse.writeTokenFile';
  let text: string;
  try {
    text = readFileSync(resolve(cwd, writeTokenFile), 'utf8').trim();
  } catch (cause) {
    throw new MillraceError('invalid_argument', `${field}: cannot be read (${(cause as Error).message}).`, { cause, field });
  }
  if (text.length < 16)
    throw new MillraceError('invalid_argument', `${field}: holds no token of at least 16 characters.`, { field });
  return text;
}

/** The ages of the settings in hours. */
export function retentionOf(ages: ClusterConfig['store']['retention']): Retention {
  return Object.fromEntries(
    Object.entries(ages).flatMap(([name, age]) =>
      age === 'forever' ? [] : [[name, parseAge(age, `store.retention.${name}`) / 3600]],
    ),
  );
}

/** A number where the text is one; what is not is left to the settings' own check, which names the field. */
function asNumber(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}
