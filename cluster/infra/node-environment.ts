import { CLUSTER_ENV_NAMES, CLUSTER_ENV_PREFIX } from '../../src/config/cluster.ts';

const NAMES = new Set([...Object.keys(CLUSTER_ENV_NAMES), 'MILLRACE_ADDRESS']);

/**
 * The environment for a node process: without the settings of the cluster, some of which are secrets (tokens, passwords, addresses that
 * hold one). Nodes are told theirs over IPC; what is in the environment is a flow's code to read, and to pass on to programs it starts.
 */
export function withoutClusterSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      const upper = name.toUpperCase();
      return !NAMES.has(upper) && !upper.startsWith(CLUSTER_ENV_PREFIX);
    }),
  );
}
