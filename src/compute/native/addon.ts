import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PACKAGE_FOLDER, scriptCommand } from '../../installation.ts';
import { processor } from './processor.js';

/** Activations that may follow a product, by the addon's numbers. */
export const ACTIVATIONS = { linear: 0, relu: 1, tanh: 2, sigmoid: 3 } as const;

/** Functions of one value, by the addon's numbers. */
export const UNARY = {
  Neg: 0,
  Square: 1,
  Sqrt: 2,
  Rsqrt: 3,
  Exp: 4,
  Log: 5,
  Tanh: 6,
  Sigmoid: 7,
  Relu: 8,
  Gelu: 9,
} as const;

/** Functions of two values, by the addon's numbers. */
export const BINARY = { Add: 0, Sub: 1, Multiply: 2, RealDiv: 3 } as const;

type Kernel = (
  heap: Uint8Array,
  ...args: (number | Float32Array | Float64Array | Int32Array | readonly Float32Array[])[]
) => void;

/**
 * The compiled kernels; the arguments of each are in the comment above it in `addon/`. Offsets are in bytes from the start of
 * the heap. Every offset, size and index is checked: a RangeError says which argument is wrong.
 */
export type NativeAddon = Record<
  | 'accumulate'
  | 'adamW'
  | 'attention'
  | 'attentionGrad'
  | 'bag'
  | 'bagGrad'
  | 'binary'
  | 'copyBlocks'
  | 'copyScaled'
  | 'denseGrad'
  | 'gather'
  | 'gruScan'
  | 'gruScanGrad'
  | 'layerNorm'
  | 'layerNormGrad'
  | 'llama'
  | 'llamaAdapterSize'
  | 'llamaPack'
  | 'llamaPackAdapter'
  | 'llamaSizes'
  | 'permute'
  | 'planner'
  | 'plannerGrad'
  | 'product'
  | 'segmentSum'
  | 'softmax'
  | 'softmaxGrad'
  | 'sumColumns'
  | 'sumRows'
  | 'transformer'
  | 'transformerGrad'
  | 'unary'
  | 'unaryGrad',
  Kernel
>;

const require = createRequire(import.meta.url);
/** Where the setup builds, whether we run from the sources or from a build of them. */
const build = join(PACKAGE_FOLDER, 'src', 'compute', 'native', 'build');
const file = join(build, 'Release', 'millrace_native.node');

let loaded: NativeAddon | undefined;

/** The addon, loaded once. Throws, with what to do, when it is not built or was built for another processor. */
export function loadAddon(): NativeAddon {
  if (loaded) return loaded;
  if (!existsSync(file)) throw new Error(`not built; ${scriptCommand('setup:native')} builds it and says what is missing`);
  const record = require(join(build, 'millrace.json')) as { processor: string };
  if (record.processor !== 'any' && processor() !== record.processor) {
    // It may use instructions that this processor does not have, which would end the process.
    throw new Error(`built for another processor; ${scriptCommand('setup:native')} builds it again`);
  }
  return (loaded = require(file) as NativeAddon);
}

/** The addon if it is loaded. */
export function addon(): NativeAddon | undefined {
  return loaded;
}
