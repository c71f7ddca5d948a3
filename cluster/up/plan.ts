import type { RoleName } from '../../src/protocol/roles.ts';
import type { Gpu } from '../infra/gpus.ts';
import { gpuEnvironment, planLearners, usesGpus, type Devices } from './learners.ts';

/** What the processes of an embedded cluster are planned from; the defaults are those of `startEmbeddedCluster`. */
export interface NodeWishes {
  learners?: number | 'auto';
  cores?: number | 'auto';
  backend?: string | undefined;
  rollouts?: number;
  rewards?: number;
  /** Port of the admin API. */
  adminPort: number;
  /** Port of the embedded engine's ClickHouse interface; the store node opens it. Default: none. */
  clickhousePort?: number | 'auto' | undefined;
}

/** One process to start. */
export interface NodePlan {
  id: string;
  role: RoleName;
  port?: number;
  clickhousePort?: number | 'auto';
  /** Compute backend to insist on. */
  backend: string | undefined;
  /** The GPU it has for itself. */
  gpu?: Gpu;
  /** Added to its environment. */
  env: Record<string, string>;
}

/**
 * One process for each role, several of some, in the order in which they are to be started: the store makes streams and buckets
 * before the others look for them.
 */
export function planNodes(
  wishes: NodeWishes,
  devices: Devices,
  inherited: Readonly<Record<string, string | undefined>>,
): NodePlan[] {
  const { backend, clickhousePort } = wishes;
  const gpus = usesGpus(wishes, devices);
  const nodes: Omit<NodePlan, 'backend' | 'env'>[] = [
    { id: 'store', role: 'store', ...(clickhousePort !== undefined && { clickhousePort }) },
    { id: 'coordinator', role: 'coordinator', port: wishes.adminPort },
    { id: 'parameter-server', role: 'parameter-server' },
    ...planLearners({ learners: wishes.learners ?? 2, cores: wishes.cores ?? 'auto', backend }, devices).map(
      (learner): Omit<NodePlan, 'backend' | 'env'> => ({ ...learner, role: 'learner' }),
    ),
    ...several('rollout', wishes.rollouts ?? 2),
    ...several('reward', wishes.rewards ?? 1),
  ];
  return nodes.map((node) => ({
    ...node,
    // Rollouts ask for few decisions at a time and stay on the processor when learners are told to use GPUs.
    backend: node.role !== 'learner' && backend === 'tensorflow-gpu' ? undefined : backend,
    env: {
      ...(gpus ? gpuEnvironment(node.gpu, inherited) : {}),
      // Every query from outside holds one of these threads while it runs; inserts and files need some as well.
      ...(node.clickhousePort !== undefined && { UV_THREADPOOL_SIZE: inherited['UV_THREADPOOL_SIZE'] ?? '8' }),
    },
  }));
}

function several(role: RoleName, n: number): { id: string; role: RoleName }[] {
  return Array.from({ length: n }, (_, i) => ({ id: `${role}-${i + 1}`, role }));
}
