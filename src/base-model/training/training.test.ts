import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../../compute/backend.ts';
import { readPeft, type StoredAdapter } from '../adapter/peft.ts';
import type { BaseModel } from '../base-model.ts';
import { layoutOf } from '../config.ts';
import { loadWeights, type ModelWeights } from '../forward/weights.ts';
import { openBaseModel } from '../open.ts';
import { evaluateTree, learnTree, type PassOptions, type PassOutcomes } from './pass.ts';
import { adapterModel, wholeModel, type TrainableModel } from './trainable.ts';
import { trainedSize, trainedTensors, type Training } from './trained.ts';
import { TokenTree } from './tree.ts';

// What torch says about random models and adapters: scripts/base-model/adapters.py.
interface Said {
  sequences: {
    prompt: number[];
    tokens: number[];
    byLogProb: number[];
    byEntropy: number[];
    logProbs: number[];
    entropies: number[];
  }[];
  /** Norm, and a sum with weights that see every number. */
  gradients: Record<string, [number, number]>;
}
const ADAPTERS = fileURLToPath(new URL('../adapter/fixtures/', import.meta.url));
const MODELS = fileURLToPath(new URL('../fixtures/', import.meta.url));
const { models } = JSON.parse(readFileSync(`${ADAPTERS}expected.json`, 'utf8')) as {
  models: Record<string, { temperature: number; adapter: Said; all: Said }>;
};

beforeAll(async () => {
  await initCompute();
});

describe.each(Object.entries(models))('training %s', (name, { temperature, ...said }) => {
  let model: BaseModel;
  let frozen: ModelWeights;
  let stored: StoredAdapter;
  let everything: Float32Array;
  let tensors: number;
  beforeAll(async () => {
    tensors = tf.memory().numTensors;
    model = await openBaseModel(MODELS + name);
    frozen = await loadWeights(model);
    stored = await readPeft(ADAPTERS + name, model.config);
    const parts: Float32Array[] = [];
    for (const { name: tensor } of layoutOf(model.config)) parts.push(await model.readTensor(tensor));
    everything = Float32Array.from(parts.flatMap((part) => [...part]));
  });
  afterAll(async () => {
    frozen.dispose();
    await model.close();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  const CASES = { adapter: () => stored.shape, all: () => 'all' as const } satisfies Record<string, () => Training>;

  function open(training: Training, values: Float32Array): TrainableModel {
    return training === 'all' ? wholeModel(model.config, values) : adapterModel(frozen, training, values);
  }

  describe.each(Object.keys(CASES) as (keyof typeof CASES)[])('%s', (kind) => {
    const { sequences, gradients } = said[kind];
    const tree = new TokenTree();
    for (const { prompt, tokens } of sequences) tokens.forEach((_, index) => tree.add(prompt, tokens, index));
    const column = (key: 'logProbs' | 'entropies' | 'byLogProb' | 'byEntropy'): Float64Array =>
      Float64Array.from(sequences.flatMap((sequence) => sequence[key]));
    const numbers = (): Float32Array => (kind === 'all' ? everything : stored.values);

    it('has the log-probabilities and entropies of torch', () => {
      const trained = open(CASES[kind](), numbers());
      const outcomes = finished(evaluateTree(trained, tree, { temperature }));
      column('logProbs').forEach((log, i) => expect(outcomes.logProbs[i]).toBeCloseTo(log, 4));
      column('entropies').forEach((entropy, i) => expect(outcomes.entropies[i]).toBeCloseTo(entropy, 4));
      trained.dispose();
    });

    it('has the gradients of torch, and gives way after every layer', () => {
      const trained = open(CASES[kind](), numbers());
      const gradient = new Float64Array(trainedSize(model.config, CASES[kind]()));
      let seen: PassOutcomes | undefined;
      const learning = learnTree(trained, tree, {
        ...{ temperature, gradient },
        loss: (outcomes) => {
          seen = outcomes;
          return { logProbs: column('byLogProb'), entropies: column('byEntropy') };
        },
      });
      let steps = 1;
      while (learning.next().done !== true) steps++;
      expect(steps).toBeGreaterThan(2 * model.config.layers);
      column('logProbs').forEach((log, i) => expect(seen!.logProbs[i]).toBeCloseTo(log, 4));
      let offset = 0;
      for (const { name: tensor, shape } of trainedTensors(model.config, CASES[kind]())) {
        const size = shape.reduce((product, length) => product * length, 1);
        const own = gradient.subarray(offset, (offset += size));
        const [norm, probe] = gradients[tensor]!;
        expect(Math.abs(Math.hypot(...own) - norm), tensor).toBeLessThan(2e-4 * norm + 1e-5);
        const sum = own.reduce((total, value, i) => total + value * Math.sin(0.37 * i + 1), 0);
        expect(Math.abs(sum - probe), tensor).toBeLessThan(2e-4 * norm * Math.sqrt(size) + 1e-5);
      }
      trained.dispose();
    });
  });

  it('computes a large tree as each of its texts alone', () => {
    const trained = adapterModel(frozen, stored.shape, stored.values);
    const long = (seed: number): number[] => Array.from({ length: 180 }, (_, i) => (i < 5 ? i : (i * seed) % 200));
    const texts = [7, 11, 13].map((seed) => ({ prompt: long(seed), tokens: [seed, 2] }));
    const [all, ...alone] = [texts, ...texts.map((text) => [text])].map((part) => {
      const tree = new TokenTree();
      for (const { prompt, tokens } of part) tokens.forEach((_, index) => tree.add(prompt, tokens, index));
      return { rows: tree.rows, ...finished(evaluateTree(trained, tree, { temperature })) };
    });
    // Too many rows for one attention over all of them.
    expect(all!.rows).toBeGreaterThan(512);
    expect(alone.reduce((sum, { rows }) => sum + rows, 0)).toBe(all!.rows + 2 * 5);
    const logs = alone.flatMap(({ logProbs }) => [...logProbs]);
    logs.forEach((log, i) => expect(all!.logProbs[i]).toBeCloseTo(log, 4));
    trained.dispose();
  });

  it('learns values of situations', () => {
    const { sequences } = said.adapter;
    const tree = new TokenTree();
    for (const { prompt, tokens } of sequences) tokens.forEach((_, index) => tree.add(prompt, tokens, index));
    const size = trainedSize(model.config, stored.shape);
    const { width } = model.config;
    const at = (values: Float32Array): { trained: TrainableModel; options: PassOptions } => ({
      trained: adapterModel(frozen, stored.shape, values.subarray(0, size)),
      options: { temperature, value: { values: values.subarray(size), offset: size } },
    });
    const point = Float32Array.from([...stored.values, ...Array.from({ length: width + 1 }, (_, i) => Math.sin(i) / 4)]);
    const gradient = new Float64Array(point.length);
    // The loss is the sum of all values, weighed by their places.
    const weight = (i: number): number => 1 + i / 2;
    const { trained, options } = at(point);
    const zeros = (values: Float64Array): Float64Array => values.map(() => 0);
    const loss = ({ logProbs, values }: PassOutcomes) => ({
      logProbs: zeros(logProbs),
      entropies: zeros(logProbs),
      values: values!.map((_, i) => weight(i)),
    });
    finished(learnTree(trained, tree, { ...options, loss, gradient }));
    trained.dispose();
    const length = Math.hypot(...gradient);
    const sumAt = (step: number): number => {
      const moved = at(point.map((value, i) => value + (step * gradient[i]!) / length));
      const { values } = finished(evaluateTree(moved.trained, tree, moved.options));
      moved.trained.dispose();
      return values!.reduce((sum, value, i) => sum + weight(i) * value, 0);
    };
    const slope = (sumAt(0.005) - sumAt(-0.005)) / 0.01;
    expect(Math.hypot(...gradient.subarray(0, size))).toBeGreaterThan(0.01);
    expect(Math.abs(slope - length) / length).toBeLessThan(0.01);
  });

  it('leaves nothing behind when it is not finished', () => {
    const trained = adapterModel(frozen, stored.shape, stored.values);
    const before = tf.memory().numTensors;
    const tree = new TokenTree();
    tree.add([1, 2, 3], [4], 0);
    for (const stop of [1, 2, 3, 4, 5]) {
      const gradient = new Float64Array(stored.values.length);
      const loss = ({ logProbs, entropies }: PassOutcomes) => ({ logProbs, entropies });
      const learning = learnTree(trained, tree, { temperature, loss, gradient });
      for (let step = 0; step < stop; step++) learning.next();
      learning.return();
      expect(tf.memory().numTensors).toBe(before);
    }
    trained.dispose();
  });
});

function finished<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
