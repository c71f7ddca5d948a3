import { loadClusterConfig, type ClusterConfig } from '../../src/config/cluster.ts';
import type { Credentials } from '../infra/credentials.ts';
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

/** The secrets that the settings name. Throws `invalid_argument` for a file that cannot be read or holds no token. */
export function configuredCredentials({ token, tokenFile, clickhouse }: ClusterConfig, cwd: string): Partial<Credentials> {
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
