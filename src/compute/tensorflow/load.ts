/** Loads TensorFlow's own library through `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`, both optional packages. */
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { missingBinding, packageName } from './binding.ts';
import { registerTensorflowKernels } from './kernels.ts';
import { hasNvidiaDriver, visibleGpus } from './visible-gpus.ts';

/** What this uses of the backend that the packages register; its class is not part of their types. */
interface NodeBackend {
  binding: { TF_Version: string; isUsingGpuDevice(): boolean };
}

/**
 * What TensorFlow reads from the environment when it starts, where the user has not said otherwise.
 *
 * One thread, because a cluster has a process for each core. Float32 all through, because rollouts may compute elsewhere and
 * the ratio of old to new probabilities should not see TF32's ten bits. Memory as needed, because TensorFlow would take the
 * whole device for the first process. Without oneDNN, which was no faster here, sums in another order on every kind of
 * processor, and announces itself. Errors only: everything else that matters is in the log line of the process.
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  NVIDIA_TF32_OVERRIDE: '0',
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  TF_ENABLE_ONEDNN_OPTS: '0',
  TF_CPP_MIN_LOG_LEVEL: '2',
};

/** The package that this process has loaded: two libtensorflows in one process do not bear each other. */
let loaded: string | undefined;

/**
 * Makes tfjs's backend `tensorflow` the current one and says what it computes on.
 *
 * @param gpu insist on a GPU: with `@tensorflow/tfjs-node-gpu`, and only if its library lists one; else the processor
 * @throws Error with one line that says what is missing and what to do: the package, its binding, a GPU, or that a library
 *   for the other kind of device is loaded already.
 */
export async function loadTensorflow(gpu: boolean): Promise<string> {
  const name = packageName(gpu);
  // The package for GPUs computes on the processor too when it finds none.
  if (loaded === undefined) {
    // Importing a package without its binding fails too, but only after it has registered hundreds of kernels.
    const missing = missingBinding(gpu);
    if (missing !== undefined) throw new Error(missing);
    if (gpu) requireGpu();
    for (const [key, value] of Object.entries(DEFAULTS)) process.env[key] ??= value;
    restoreUtil();
    // A variable, since neither the compiler nor a bundler should look for an optional package.
    await import(name);
    loaded = name;
    registerTensorflowKernels();
  }
  if (!(await tf.setBackend('tensorflow'))) throw new Error(`tfjs could not start the backend that ${loaded} registers`);
  await tf.ready();
  const { binding } = tf.backend() as unknown as NodeBackend;
  const onGpu = binding.isUsingGpuDevice();
  const library = `libtensorflow ${binding.TF_Version}`;
  if (gpu && !onGpu) {
    throw new Error(
      `${library} lists no GPU in this process (CUDA_VISIBLE_DEVICES=${process.env['CUDA_VISIBLE_DEVICES'] ?? 'unset'}); ` +
        'TF_CPP_MIN_LOG_LEVEL=0 shows why',
    );
  }
  if (!gpu && onGpu) throw new Error(`${loaded} is loaded in this process and computes on a GPU`);
  return onGpu ? `GPU ${visibleGpus() ?? '0'} (CUDA, ${library})` : `CPU (${library}, ${threads()})`;
}

function threads(): string {
  const count = process.env['TF_NUM_INTRAOP_THREADS'];
  return count === '1' ? '1 thread' : `${count} threads`;
}

function requireGpu(): void {
  if (visibleGpus() === '') throw new Error('CUDA_VISIBLE_DEVICES hides all GPUs from this process');
  if (!hasNvidiaDriver()) throw new Error('no NVIDIA driver on this machine');
}

/** tfjs-node calls two functions that Node.js deprecates loudly since 22 and has removed in 23. */
function restoreUtil(): void {
  Object.assign(util, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  });
}
