import { join } from 'node:path';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../up/index.ts';
import { makeStateFolder } from '../infra/state-folder.ts';
import { configuredCredentials } from './cluster-settings.ts';
import { workbenchUrl } from './workbench-url.ts';
import type { CliContext } from './context.ts';

/** A cluster of this command, and the folder of what it keeps. */
export interface CommandCluster extends EmbeddedCluster {
  stateDir: string;
  /** A link that opens its workbench once. Undefined without a gateway. */
  workbenchUrl: string | undefined;
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
  return { ...cluster, stateDir, workbenchUrl: await workbenchOf(cluster, config, context) };
}

/** Without its page a cluster is whole: what goes wrong is told. */
async function workbenchOf(
  { gatewayUrl: url, gatewayToken: token }: EmbeddedCluster,
  { tls }: ClusterConfig,
  context: CliContext,
): Promise<string | undefined> {
  if (url === undefined) return undefined;
  try {
    return await workbenchUrl({ url, token, caFile: tls?.caFile });
  } catch (error) {
    context.note(`no workbench: ${MillraceError.from(error).message}`);
    return undefined;
  }
}

/** The line that says how to open the page. */
export function workbenchLine({ workbenchUrl: link }: CommandCluster): string | undefined {
  return link === undefined ? undefined : `Workbench: ${link} (opens once, within 10 minutes; millrace open prints another)`;
}

/** Where a cluster answers, for the line that says it is up. */
export function addressesOf({ address, gatewayUrl, clickhouseUrl }: EmbeddedCluster): string {
  const gateway = gatewayUrl === undefined ? [] : [`gateway at ${gatewayUrl}`];
  const clickhouse = clickhouseUrl === undefined ? [] : [`ClickHouse at ${clickhouseUrl}`];
  return [`admin API at ${address}`, ...gateway, ...clickhouse].join('; ');
}

/** The same for programs; what is not there is left out. */
export function placesOf({ address, gatewayUrl, clickhouseUrl, stateDir, workbenchUrl }: CommandCluster): object {
  return { address, gatewayUrl, clickhouseUrl, stateDir, workbenchUrl };
}
