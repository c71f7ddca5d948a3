import type { KernelFunc, NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { PlannerHeadAttrs } from '../native/kernels/planner.ts';

type Shapes = Record<string, readonly number[]>;
type Contract = (inputs: Record<string, TensorInfo>, attrs: NamedAttrMap) => Shapes;

const INTEGERS = new Set(['order', 'starts', 'tokens']);

const gruWeights = (H: number): Shapes => ({ forwardWeight: [H, 3 * H], backwardWeight: [H, 3 * H] });

const sameAsDy = (name: string): Contract => {
  return ({ dy }) => ({ dy: shapeOf(dy), [name]: shapeOf(dy) });
};

const norm =
  (parameters: readonly string[]): Contract =>
  ({ x }) => ({
    x: shapeOf(x),
    ...Object.fromEntries(parameters.map((name) => [name, [shapeOf(x).at(-1) ?? 1]])),
  });

const normGrad: Contract = ({ x }) => {
  const columns = shapeOf(x).at(-1) ?? 1;
  const rows = shapeOf(x)
    .slice(0, -1)
    .reduce((total, length) => total * length, 1);
  return { x: shapeOf(x), dy: shapeOf(x), gain: [columns], trace: [columns === 0 ? 0 : rows, 2] };
};

/** Layers of 12 parameters each, `p0`, `p1`, ...; see ../native/kernels/transformer.ts. */
const layers =
  (first: string): Contract =>
  (inputs, attrs) => {
    const [N, W] = [shapeOf(inputs[first])[0] ?? NaN, shapeOf(inputs[first])[1] ?? NaN];
    const inner = attrs['inner'] as number;
    const norm = [[W], [W]];
    const attention = [[W, 3 * W], [3 * W], [W, W], [W]];
    const layer = [...norm, ...attention, ...norm, [W, inner], [inner], [inner, W], [W]];
    const wanted: Record<string, readonly number[]> = { [first]: [N, W], starts: [shapeOf(inputs['starts'])[0] ?? NaN] };
    const given = Object.keys(inputs).filter((name) => /^p\d+$/.test(name)).length;
    for (let i = 0; i < given || i % layer.length !== 0; i++) wanted[`p${i}`] = layer[i % layer.length]!;
    if (first === 'dy') {
      wanted['x'] = [N, W];
      wanted['trace'] = [shapeOf(inputs['trace'])[0] ?? NaN];
    }
    return wanted;
  };

/** The planner's head: parameters in the order of headTensors in src/policy/planner/layout.ts. */
const head =
  (backward: boolean): Contract =>
  ({ pooled, at, trace }, attrs) => {
    const { hidden: H, features, tools, toolsByArity, flat } = attrs as unknown as PlannerHeadAttrs;
    const W = shapeOf(pooled)[1] ?? NaN;
    const parameters = [[2 * W + features.item, H], [H], [W + H + features.state, H], [H]];
    toolsByArity.forEach((count, arity) => {
      if (count === 0) return;
      parameters.push([H, H], [H], ...Array.from({ length: arity }, () => [H, H]), [H, count], [count]);
    });
    if (features.action > 0) {
      parameters.push([features.action, H], [H], [H, H], [H], [H, tools], [features.action, tools]);
    }
    return {
      pooled: [shapeOf(pooled)[0] ?? NaN, W],
      at: [shapeOf(at)[0] ?? NaN, W],
      ...Object.fromEntries(parameters.map((shape, i) => [`p${i}`, shape])),
      ...(backward ? { dy: [flat.actionScore.length], trace: [shapeOf(trace)[0] ?? NaN] } : {}),
    };
  };

/**
 * The inputs of kernels of our own, which no operation of the library checks first: shapes as they follow from the first
 * one. The kernels compute addresses from them.
 */
const CONTRACTS: Record<string, Contract> = {
  Bag({ table, tokens, starts }) {
    return { table: [shapeOf(table)[0] ?? NaN, shapeOf(table)[1] ?? NaN], tokens: [sizeOf(tokens)], starts: [sizeOf(starts)] };
  },
  BagGrad({ dy, tokens, starts }) {
    return { dy: [sizeOf(starts) - 1, shapeOf(dy)[1] ?? NaN], tokens: [sizeOf(tokens)], starts: [sizeOf(starts)] };
  },
  DenseGrad({ x, w }) {
    const [m, k, n] = [shapeOf(x)[0] ?? NaN, shapeOf(x)[1] ?? NaN, shapeOf(w)[1] ?? NaN];
    return { x: [m, k], w: [k, n], y: [m, n], dy: [m, n] };
  },
  Gelu: ({ x }) => ({ x: shapeOf(x) }),
  GeluGrad: sameAsDy('saved'),
  GruScan({ x }) {
    const [N, H] = [shapeOf(x)[0] ?? NaN, (shapeOf(x)[1] ?? NaN) / 6];
    return { x: [N, 6 * H], order: [2 * N], ...gruWeights(H), forwardBias: [3 * H], backwardBias: [3 * H] };
  },
  GruScanGrad({ states }) {
    const [N, H] = [shapeOf(states)[0] ?? NaN, (shapeOf(states)[1] ?? NaN) / 2];
    return { states: [N, 2 * H], dy: [N, 2 * H], trace: [2 * N, 4 * H], order: [2 * N], ...gruWeights(H) };
  },
  LayerNorm: norm(['gain', 'bias']),
  LayerNormGrad: normGrad,
  LogSoftmaxFused: ({ logits }) => ({ logits: shapeOf(logits) }),
  LogSoftmaxGrad: sameAsDy('y'),
  RaggedAttention({ qkv, starts }, { heads }) {
    return { qkv: [shapeOf(qkv)[0] ?? NaN, width(qkv, heads) * 3], starts: [shapeOf(starts)[0] ?? NaN] };
  },
  RaggedAttentionGrad({ qkv, starts, probabilities }, { heads }) {
    const [N, W] = [shapeOf(qkv)[0] ?? NaN, width(qkv, heads)];
    return {
      qkv: [N, 3 * W],
      dy: [N, W],
      starts: [shapeOf(starts)[0] ?? NaN],
      probabilities: [shapeOf(probabilities)[0] ?? NaN],
    };
  },
  PlannerHead: head(false),
  PlannerHeadGrad: head(true),
  ReluGrad: sameAsDy('saved'),
  RmsNorm: norm(['gain']),
  RmsNormGrad: normGrad,
  SigmoidGrad: sameAsDy('saved'),
  SoftmaxGrad: sameAsDy('y'),
  TanhGrad: sameAsDy('saved'),
  TransformerLayers: layers('x'),
  TransformerLayersGrad: layers('dy'),
};

/** The kernel, with its inputs checked first: RangeError for a wrong shape or type. Kernels without a contract stay as they are. */
export function checked(kernelName: string, kernel: KernelFunc): KernelFunc {
  const contract = CONTRACTS[kernelName];
  if (!contract) return kernel;
  return (parameters) => {
    const inputs = parameters.inputs as Record<string, TensorInfo>;
    for (const [name, shape] of Object.entries(contract(inputs, parameters.attrs ?? {}))) {
      const given = inputs[name];
      const dtype = INTEGERS.has(name) ? 'int32' : 'float32';
      if (given?.dtype === dtype && given.shape.length === shape.length && shape.every((n, i) => n === given.shape[i])) continue;
      const actual = given ? `${given.dtype} [${given.shape.join(', ')}]` : 'nothing';
      throw new RangeError(`${kernelName}: ${name} must be ${dtype} [${shape.join(', ')}], not ${actual}`);
    }
    return kernel(parameters);
  };
}

/** Length of a vector. */
const sizeOf = (tensor: TensorInfo | undefined): number => shapeOf(tensor)[0] ?? NaN;

const shapeOf = (tensor: TensorInfo | undefined): readonly number[] => tensor?.shape ?? [];

/** Width of attention, or NaN where the heads do not divide it. */
function width(qkv: TensorInfo | undefined, heads: unknown): number {
  const all = (shapeOf(qkv)[1] ?? NaN) / 3;
  return Number.isInteger(all / (heads as number)) ? all : NaN;
}
