import { join } from 'node:path';
import { loadClusterConfig, type ClusterConfig } from '../../src/config/cluster.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../up.ts';
import type { CliContext } from './context.ts';

/** Options that `up` and `train` share. */
export interface EmbeddedFlags {
  config?: string;
  learners?: string;
  rollouts?: string;
  set?: string[];
}

/** Starts the embedded cluster in the command's state folder, with the settings of file, environment and flags. */
export async function startCluster(
  context: CliContext,
  flags: EmbeddedFlags,
  overrides: readonly string[] = [],
): Promise<EmbeddedCluster> {
  const { config } = loadClusterConfig({
    env: context.env,
    cwd: context.cwd,
    overrides,
    ...(flags.config !== undefined && { file: flags.config }),
    flags: {
      stateDir: context.stateDir,
      learners: asNumber(flags.learners),
      rollouts: asNumber(flags.rollouts),
    },
  });
  const { stateDir, clickhouse, nats, ports, logLevel, token } = config;
  return startEmbeddedCluster({
    stateDir,
    learners: learnerCount(config),
    rollouts: config.rollouts,
    rewards: config.rewards,
    port: ports.admin,
    token,
    clickhouse: clickhouse.url === undefined ? undefined : { ...clickhouse, url: clickhouse.url, username: clickhouse.user },
    natsUrl: nats.url,
    logLevel,
    log: createLogger({ name: 'millrace', node: 'supervisor', level: logLevel, file: join(stateDir, 'logs', 'supervisor.log') }),
    onProgress: (text) => context.note(text),
  });
}

/** `auto` is two: the least that shows a round being split, and no more than two cores carry beside the rollouts. */
function learnerCount({ learners }: ClusterConfig): number {
  return learners === 'auto' ? 2 : learners;
}

/** A number where the text is one; what is not is left to the settings' own check, which names the field. */
function asNumber(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  return /^\d+$/.test(text) ? Number(text) : text;
}
