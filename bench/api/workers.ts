import type { TestCluster } from '../../test/support/cluster.ts';

const WORKERS = ['rollout', 'reward', 'learner'] as const;

/** Sends a signal to every process that does the work of jobs: SIGSTOP and SIGCONT hold them and let them go on. */
export function signalWorkers(cluster: Pick<TestCluster, 'nodes' | 'signal'>, signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const { id, roles, pid } of cluster.nodes())
    if (pid !== undefined && WORKERS.some((role) => roles.includes(role))) cluster.signal(id, signal);
}
