/**
 * The backend `native`: the WebAssembly backend's memory under a second name, with its hot kernels in a compiled addon that
 * works on that memory in place. What the addon does not cover goes to the WebAssembly kernels.
 */
import * as tf from '@tensorflow/tfjs-core';
import { checked } from '../kernels/contracts.ts';
import { replaceKernels } from '../kernels/register.ts';
import type { KernelWrapper } from '../kernels/wrapper.ts';
import { loadAddon, type NativeAddon } from './addon.ts';
import { addedUnary, binary, unary, unaryGrad } from './kernels/elementwise.ts';
import { bag, bagGrad, concat, gather, segmentSum, transpose } from './kernels/index.ts';
import { plannerHead, plannerHeadGrad } from './kernels/planner.ts';
import { denseGrad, matMul } from './kernels/product.ts';
import { norm, normGrad, reduction, softmax, softmaxGrad } from './kernels/rows.ts';
import { transformer, transformerGrad } from './kernels/transformer.ts';
import { attention, attentionGrad, gruScan, gruScanGrad } from './kernels/sequences.ts';

/** Name under which tensorflow.js knows it. */
export const NATIVE = 'native';

/** Kernels of the wasm backend that the addon does instead. */
function replaced(native: NativeAddon): Record<string, KernelWrapper> {
  return {
    Add: binary(native, 'Add'),
    BatchMatMul: matMul(native),
    Concat: concat(native),
    Exp: unary(native, 'Exp'),
    GatherV2: gather(native),
    Log: unary(native, 'Log'),
    Mean: reduction(native, 'Mean'),
    Multiply: binary(native, 'Multiply'),
    Neg: unary(native, 'Neg'),
    RealDiv: binary(native, 'RealDiv'),
    Relu: unary(native, 'Relu'),
    Rsqrt: unary(native, 'Rsqrt'),
    Sigmoid: unary(native, 'Sigmoid'),
    Softmax: (original) => {
      const compute = softmax(native, false);
      return (parameters) =>
        ((parameters.inputs['logits'] as tf.TensorInfo).dtype === 'float32' ? compute : original)(parameters);
    },
    Sqrt: unary(native, 'Sqrt'),
    Square: unary(native, 'Square'),
    Sub: binary(native, 'Sub'),
    Sum: reduction(native, 'Sum'),
    Tanh: unary(native, 'Tanh'),
    Transpose: transpose(native),
    UnsortedSegmentSum: segmentSum(native),
    _FusedMatMul: matMul(native),
    RaggedAttention: () => attention(native),
    RaggedAttentionGrad: () => attentionGrad(native),
    GruScan: () => gruScan(native),
    GruScanGrad: () => gruScanGrad(native),
  };
}

/** Kernels of our own that gradients and networks use where they are registered. */
function added(native: NativeAddon): Record<string, tf.KernelFunc> {
  return {
    Bag: bag(native),
    BagGrad: bagGrad(native),
    DenseGrad: denseGrad(native),
    Gelu: addedUnary(native, 'Gelu'),
    GeluGrad: unaryGrad(native, 'Gelu'),
    LayerNorm: norm(native, true),
    LayerNormGrad: normGrad(native, true),
    LogSoftmaxFused: softmax(native, true),
    LogSoftmaxGrad: softmaxGrad(native, true),
    PlannerHead: plannerHead(native),
    PlannerHeadGrad: plannerHeadGrad(native),
    ReluGrad: unaryGrad(native, 'Relu'),
    RmsNorm: norm(native, false),
    RmsNormGrad: normGrad(native, false),
    SigmoidGrad: unaryGrad(native, 'Sigmoid'),
    SoftmaxGrad: softmaxGrad(native, false),
    TanhGrad: unaryGrad(native, 'Tanh'),
    TransformerLayers: transformer(native),
    TransformerLayersGrad: transformerGrad(native),
  };
}

let registered = false;

/** Registers the backend over the wasm one, which must be loaded and completed. Throws when the addon cannot be loaded. */
export function registerNative(): void {
  const native = loadAddon();
  if (registered) return;
  const wasm = tf.findBackend('wasm');
  if (!wasm) throw new Error('the wasm backend is not loaded');
  registered = true;
  tf.copyRegisteredKernels('wasm', NATIVE);
  replaceKernels(NATIVE, replaced(native));
  for (const [kernelName, kernelFunc] of Object.entries(added(native))) {
    tf.registerKernel({ kernelName, backendName: NATIVE, kernelFunc: checked(kernelName, kernelFunc) });
  }
  tf.registerBackend(NATIVE, () => wasm, 4);
}

/** Names of the kernels that the addon does. */
export function nativeKernels(): { replaced: string[]; added: string[] } {
  const none = {} as NativeAddon;
  return { replaced: Object.keys(replaced(none)), added: Object.keys(added(none)) };
}
