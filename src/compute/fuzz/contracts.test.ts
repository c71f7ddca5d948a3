import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { availableBackends } from './backends.ts';
import { make } from './tensors.ts';

interface Call {
  kernel: string;
  /** Shapes of the inputs; those of `integers` are given by their values. */
  inputs: Record<string, number[]>;
  integers?: Record<string, number[]>;
  attrs?: object;
}

const order = { order: [0, 2, 1, 3, 1, 3, 0, 2] };
const weights = { forwardWeight: [2, 6], backwardWeight: [2, 6] };
const layer = [[4], [4], [4, 12], [12], [4, 4], [4], [4], [4], [4, 3], [3], [3, 4], [4]];
const norms = { x: [2, 3, 4], gain: [4] };

/** One right call of each kernel of our own. */
const CALLS: Call[] = [
  { kernel: 'DenseGrad', inputs: { x: [3, 2], w: [2, 5], y: [3, 5], dy: [3, 5] }, attrs: { activation: 'tanh', bias: true } },
  { kernel: 'Gelu', inputs: { x: [2, 3] } },
  ...['GeluGrad', 'ReluGrad', 'SigmoidGrad', 'TanhGrad'].map((kernel) => ({ kernel, inputs: { dy: [2, 3], saved: [2, 3] } })),
  ...['SoftmaxGrad', 'LogSoftmaxGrad'].map((kernel) => ({ kernel, inputs: { dy: [2, 3], y: [2, 3] } })),
  { kernel: 'LogSoftmaxFused', inputs: { logits: [2, 3] } },
  { kernel: 'LayerNorm', inputs: { ...norms, bias: [4] }, attrs: { epsilon: 1e-5 } },
  { kernel: 'RmsNorm', inputs: norms, attrs: { epsilon: 1e-5 } },
  ...['LayerNormGrad', 'RmsNormGrad'].map((kernel) => ({ kernel, inputs: { ...norms, dy: [2, 3, 4], trace: [6, 2] } })),
  {
    kernel: 'GruScan',
    inputs: { x: [4, 12], ...weights, forwardBias: [6], backwardBias: [6] },
    integers: order,
    attrs: { steps: [2, 2], keep: true },
  },
  {
    kernel: 'GruScanGrad',
    inputs: { dy: [4, 4], states: [4, 4], trace: [8, 8], ...weights },
    integers: order,
    attrs: { steps: [2, 2] },
  },
  { kernel: 'RaggedAttention', inputs: { qkv: [5, 12] }, integers: { starts: [0, 2, 5] }, attrs: { heads: 2 } },
  {
    kernel: 'TransformerLayers',
    inputs: { x: [5, 4], ...Object.fromEntries([...layer, ...layer].map((shape, i) => [`p${i}`, shape])) },
    integers: { starts: [0, 2, 5] },
    attrs: { heads: 2, inner: 3, keep: true },
  },
  {
    kernel: 'RaggedAttentionGrad',
    inputs: { dy: [5, 4], qkv: [5, 12], probabilities: [2 * (4 + 9)] },
    integers: { starts: [0, 2, 5] },
    attrs: { heads: 2 },
  },
];

function run({ kernel, inputs, integers = {}, attrs = {} }: Call, dtype: 'float32' | 'int32' = 'float32'): void {
  tf.tidy(() => {
    const tensors = Object.entries(inputs).map(([name, shape], seed) => [name, make({ shape, dtype, seed, special: false })]);
    const ids = Object.entries(integers).map(([name, values]) => [name, tf.tensor1d(values, 'int32')]);
    const results = tf.engine().runKernel(kernel, Object.fromEntries([...tensors, ...ids]) as tf.NamedTensorMap, attrs as never);
    for (const result of [results].flat()) for (const value of result.dataSync()) expect(value).not.toBeNaN();
  });
}

/** The same call with one input of another shape, or with integers that name what is not there. */
function spoilt(call: Call): [what: string, Call][] {
  const shapes = Object.entries(call.inputs).flatMap(([name, shape]) => {
    // Where all of the inputs have the shape of the only one, any shape is right.
    if (Object.keys(call.inputs).length === 1 && !call.integers) return [];
    const shorter = shape.map((n, i) => (i === shape.length - 1 ? n - 1 : n));
    const variants = [shorter, shape.map((n) => n + 1), [...shape, 1], shape.map(() => 0)];
    // A norm takes any number of dimensions before the last.
    if (!call.kernel.endsWith('Norm')) variants.push([1, ...shape]);
    return variants.map((wrong): [string, Call] => [
      `${name} [${wrong.join(', ')}]`,
      { ...call, inputs: { ...call.inputs, [name]: wrong } },
    ]);
  });
  const values = Object.entries(call.integers ?? {}).flatMap(([name, right]) =>
    [right.with(1, -1), right.with(-1, 99), right.with(0, 2 ** 31 - 1)].map((wrong): [string, Call] => [
      `${name} of ${wrong.join(', ')}`,
      { ...call, integers: { ...call.integers, [name]: wrong } },
    ]),
  );
  return [...shapes, ...values];
}

describe.each(await availableBackends())('kernels of our own on %s', (backend) => {
  const present = CALLS.filter(({ kernel }) => tf.getKernel(kernel, backend));

  it.each(present)('$kernel takes what fits and refuses what does not', async (call) => {
    await tf.setBackend(backend);
    run(call);
    const held = tf.memory().numTensors;
    for (const [what, wrong] of spoilt(call)) expect(() => run(wrong), what).toThrow(/must be|attention|gru/);
    expect(() => run(call, 'int32')).toThrow(/must be float32/);
    expect(tf.memory().numTensors).toBe(held);
    run(call);
  });
});
