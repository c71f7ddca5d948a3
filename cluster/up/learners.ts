/** How many learners a cluster starts, and which GPU each gets. */
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { SHARDS_PER_ROUND } from '../../src/jobs/shards.ts';
import type { Gpu } from '../infra/gpus.ts';

/** What there is. */
export interface Devices {
  /** In the order in which learners get them. */
  gpus: readonly Gpu[];
  /** Whether backend `tensorflow-gpu` has been built; without it no process can use a GPU. */
  gpuBackend: boolean;
  /** Cores of the machine. */
  cores: number;
}

/** One learner process. */
export interface LearnerPlan {
  id: string;
  /** Absent: it computes on the processor. */
  gpu?: Gpu;
}

/** Whether learners compute on GPUs: there are some, the backend for them is there, and no other one is insisted on. */
export function usesGpus({ compute: { backend } }: Pick<ClusterConfig, 'compute'>, { gpus, gpuBackend }: Devices): boolean {
  return gpus.length > 0 && gpuBackend && (backend === undefined || backend === 'tensorflow-gpu');
}

/**
 * The learners to start. A round is cut into at most {@link SHARDS_PER_ROUND} parts, so `auto` starts no more than that: the rest
 * would have nothing to do. A given number is taken as it is; more learners than GPUs share them in turn.
 */
export function planLearners(config: Pick<ClusterConfig, 'learners' | 'cores' | 'compute'>, devices: Devices): LearnerPlan[] {
  const gpus = usesGpus(config, devices) ? devices.gpus : [];
  const cores = config.cores === 'auto' ? devices.cores : config.cores;
  const useful = Math.min(SHARDS_PER_ROUND, gpus.length > 0 ? gpus.length : Math.max(1, cores));
  const count = config.learners === 'auto' ? useful : config.learners;
  return Array.from({ length: count }, (_, i) => {
    const gpu = gpus[i % Math.max(1, gpus.length)];
    return { id: `learner-${i + 1}`, ...(gpu && { gpu }) };
  });
}

/**
 * Environment of a node on a machine whose learners use GPUs: a learner sees its own GPU alone, every other process none, so
 * that it neither takes memory of one nor waits for it.
 *
 * @param inherited environment of the supervisor. An index that the user has given is meant in whatever order CUDA counts
 *   there; one of ours is nvidia-smi's, which is the order of the bus.
 */
export function gpuEnvironment(
  gpu: Gpu | undefined,
  inherited: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const ours = inherited['CUDA_VISIBLE_DEVICES'] === undefined && inherited['CUDA_DEVICE_ORDER'] === undefined;
  return { CUDA_VISIBLE_DEVICES: gpu?.visible ?? '', ...(gpu && ours && { CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }) };
}
