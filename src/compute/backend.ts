/** Chooses the tensorflow.js backend: the best one that loads and computes correctly. */
import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../errors.ts';
import { registerGradients } from './gradients.ts';
import { registerWasmKernels } from './kernels/register.ts';
import { measureGflops, selfTest } from './self-test.ts';
import { loadTensorflow } from './tensorflow/load.ts';
import { NATIVE, registerNative } from './native/backend.ts';
import { loadWasm } from './wasm.ts';

/** Backends by name, best first; `tensorflow-gpu` and `tensorflow` are optional packages. */
export const BACKENDS = ['tensorflow-gpu', 'native', 'tensorflow', 'wasm', 'cpu'] as const;
/** One of {@link BACKENDS}. */
export type BackendName = (typeof BACKENDS)[number];

/** Options of {@link initCompute}. */
export interface ComputeOptions {
  /** One of {@link BACKENDS}, tried alone. Default: the first of them that works; `cpu` only when asked for. */
  preferred?: string | undefined;
}

/** The backend that was chosen. */
export interface ComputeInfo {
  backend: BackendName;
  /** What it computes on, in words. */
  device: string;
  /** Measured on a 256 x 256 product. */
  gflops: number;
  /** Why better backends were not taken, one line each. */
  skipped: readonly string[];
  /** One line for the log. */
  describe(): string;
}

let chosen: Promise<ComputeInfo> | undefined;
let chosenFor: string | undefined;

/**
 * Sets up tensorflow.js for this process. Calling again returns what was chosen, unless another backend is preferred.
 * `invalid_argument` for an unknown name; `failed_precondition` when nothing works, with the reasons.
 */
export function initCompute(options: ComputeOptions = {}): Promise<ComputeInfo> {
  const { preferred } = options;
  if (chosen && (preferred === undefined || preferred === chosenFor)) return chosen;
  chosenFor = preferred;
  chosen = choose(preferred);
  chosen.catch(() => (chosen = undefined));
  return chosen;
}

async function choose(preferred: string | undefined): Promise<ComputeInfo> {
  if (preferred !== undefined && !(BACKENDS as readonly string[]).includes(preferred)) {
    throw new MillraceError('invalid_argument', `unknown compute backend "${preferred}"; choose one of ${BACKENDS.join(', ')}`, {
      field: 'compute.backend',
    });
  }
  const candidates = preferred === undefined ? BACKENDS.filter((name) => name !== 'cpu') : [preferred as BackendName];
  const skipped: string[] = [];
  for (const backend of candidates) {
    try {
      const device = await LOADERS[backend]();
      registerGradients();
      selfTest();
      const gflops = measureGflops();
      const describe = () => `compute: ${backend} on ${device}, ${gflops.toFixed(1)} GFLOP/s`;
      return { backend, device, gflops, skipped, describe };
    } catch (thrown) {
      skipped.push(`${backend}: ${firstLine(thrown)}`);
    }
  }
  throw new MillraceError('failed_precondition', `no compute backend works: ${skipped.join('; ')}`);
}

/** Loads a backend, makes it the current one and says what it computes on. */
const LOADERS: Record<BackendName, () => Promise<string>> = {
  'tensorflow-gpu': () => loadTensorflow(true),
  tensorflow: () => loadTensorflow(false),
  native: async () => {
    await LOADERS.wasm();
    registerNative();
    await use(NATIVE);
    return 'CPU (compiled kernels with BLAS over WebAssembly memory, 1 thread)';
  },
  wasm: async () => {
    const device = await loadWasm();
    registerWasmKernels();
    return device;
  },
  cpu: async () => {
    await import('@tensorflow/tfjs-backend-cpu');
    (tf.findBackend('cpu') as { firstUse?: boolean } | null)!.firstUse = false;
    await use('cpu');
    return 'JavaScript';
  },
};

async function use(name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start the backend ${name}`);
  await tf.ready();
}

function firstLine(thrown: unknown): string {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return message.split('\n')[0]!.slice(0, 200);
}
