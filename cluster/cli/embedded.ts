import { join } from 'node:path';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../up/index.ts';
import { makeStateFolder } from '../infra/state-folder.ts';
import { configuredCredentials } from './cluster-settings.ts';
import type { CliContext } from './context.ts';

/** A cluster of this command, and the folder of what it keeps. */
export interface CommandCluster extends EmbeddedCluster {
  stateDir: string;
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
  context.own = { address: cluster.address, token: cluster.token, tls: config.tls };
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
