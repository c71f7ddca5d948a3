import { join } from 'node:path';
import { loadClusterConfig, type ClusterConfig } from '../../src/config/cluster.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../up/index.ts';
import type { Credentials } from '../infra/credentials.ts';
import { makeStateFolder } from '../infra/state-folder.ts';
import type { CliContext } from './context.ts';
import { readTokenFile } from './token-file.ts';

/** Options that `up` and `train` share. */
export interface EmbeddedFlags {
  config?: string;
  learners?: string;
  rollouts?: string;
  parameterServers?: string;
  clickhousePort?: string;
  gatewayPort?: string;
  set?: string[];
}

/** A cluster of this command, and the folder of what it keeps. */
export interface CommandCluster extends EmbeddedCluster {
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
      tokenFile: context.flags.tokenFile,
      learners: asNumber(flags.learners),
      rollouts: asNumber(flags.rollouts),
      parameterServers: asNumber(flags.parameterServers),
      'ports.gateway': asNumber(flags.gatewayPort),
      'ports.clickhouse': asNumber(flags.clickhousePort),
    },
  }).config;
}

/** Starts the embedded cluster. From then on the command calls this one, even if an address of another is given. */
export async function startCluster(context: CliContext, config: ClusterConfig): Promise<CommandCluster> {
  const { stateDir, logLevel } = config;
  const given = configuredCredentials(config, context.cwd);
  const logs = makeStateFolder(stateDir);
  context.logs = logs;
  const cluster = await startEmbeddedCluster({
    config,
    credentials: given,
    log: createLogger({ name: 'millrace', node: 'supervisor', level: logLevel, file: join(logs, 'supervisor.log') }),
    signal: context.signal,
    onProgress: (text) => context.note(text),
  });
  context.own = { address: cluster.address, token: cluster.token };
  return { ...cluster, stateDir };
}

/** Where a cluster answers, for the line that says it is up. */
export function addressesOf({ address, gatewayUrl, clickhouseUrl }: EmbeddedCluster): string {
  const gateway = gatewayUrl === undefined ? [] : [`gateway at ${gatewayUrl}`];
  const clickhouse = clickhouseUrl === undefined ? [] : [`ClickHouse at ${clickhouseUrl}`];
  return [`admin API at ${address}`, ...gateway, ...clickhouse].join('; ');
}

/** The same for programs; what is not there is left out. */
export function placesOf({ address, gatewayUrl, clickhouseUrl, stateDir }: CommandCluster): object {
  return { address, gatewayUrl, clickhouseUrl, stateDir };
}

/** The secrets that the settings name. Throws `invalid_argument` for a file that cannot be read or holds no token. */
function configuredCredentials({ token, tokenFile, clickhouse }: ClusterConfig, cwd: string): Partial<Credentials> {
  const { readToken, readTokenFile: readFile, writeToken, writeTokenFile: writeFile } = clickhouse;
  const given = {
    token: token ?? readTokenFile(tokenFile, cwd, 'tokenFile'),
    readToken: readToken ?? readTokenFile(readFile, cwd, 'clickhouse.readTokenFile'),
    writeToken: writeToken ?? readTokenFile(writeFile, cwd, 'clickhouse.writeTokenFile'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** A number where the text is one; what is not is left to the settings' own check, which names the field. */
function asNumber(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}
