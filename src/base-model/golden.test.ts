import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../compute/backend.ts';
import { openGguf } from '../tensor-files/gguf.ts';
import type { BaseModel } from './base-model.ts';
import { KeyValueCache } from './forward/cache.ts';
import { forward, greedyTokens, logitsOf } from './forward/forward.ts';
import { loadWeights, type ModelWeights } from './forward/weights.ts';
import { openBaseModel } from './open.ts';

// What transformers and gguf say about tiny random models: scripts/base-model/fixtures.py.
interface Said {
  ids: number[];
  /** Per token: eight logits from the start, eight from the end, log-sum-exp. */
  logits: number[][];
  greedy: number[];
}
interface Expected extends Said {
  probes: { text: string; ids: number[]; bare: number[]; decoded: string }[];
  chat: string;
  gguf: Record<string, Said & { dequantised: Record<string, string> }>;
}

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const { prompt, chat, models } = JSON.parse(readFileSync(`${FIXTURES}expected.json`, 'utf8')) as {
  prompt: string;
  chat: { role: string; content: string }[];
  models: Record<string, Expected>;
};
const CASES = Object.entries(models).flatMap(([name, expected]) => [
  { name, path: FIXTURES + name, expected, said: expected as Said },
  ...Object.entries(expected.gguf).map(([type, said]) => ({
    ...{ name: `${name} as GGUF of ${type}`, path: `${FIXTURES}${name}-${type}.gguf`, expected, said: said as Said },
  })),
]);

beforeAll(async () => {
  await initCompute({ preferred: 'cpu' });
});

describe.each(CASES)('$name', ({ path, expected, said }) => {
  let model: BaseModel;
  let weights: ModelWeights;
  let tensors: number;
  beforeAll(async () => {
    tensors = tf.memory().numTensors;
    model = await openBaseModel(path);
    weights = await loadWeights(model);
  });
  afterAll(async () => {
    weights.dispose();
    await model.close();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('has the tokens of transformers', () => {
    for (const { text, ids, bare } of expected.probes) {
      expect(model.tokenizer.encode(text), text).toEqual(ids);
      expect(model.tokenizer.encode(text, { special: false }), text).toEqual(bare);
    }
  });

  it('gives texts back as transformers does', () => {
    for (const { bare, decoded } of expected.probes) expect(model.tokenizer.decode(bare)).toBe(decoded);
  });

  it('renders the conversation as transformers does', () => {
    expect(model.chatTemplate!(chat)).toBe(expected.chat);
  });

  it('has the logits of transformers', () => {
    expect(model.tokenizer.encode(prompt)).toEqual(said.ids);
    expectLogits(said.logits, () => logitsOf(weights, forward(weights, [{ tokens: said.ids }])));
  });

  it('has them token by token from a cache, beside another sequence', () => {
    const [cache, other] = [new KeyValueCache(model.config), new KeyValueCache(model.config)];
    const rows = said.ids.map((id, index) => {
      const tokens = [id];
      const beside = said.ids.slice(index, index + 2);
      return tf.tidy(() => {
        const hidden = forward(weights, [
          { tokens: beside, cache: other },
          { tokens, cache },
        ]);
        return logitsOf(weights, tf.slice(hidden, [beside.length, 0], [1, -1])).arraySync()[0]!;
      });
    });
    expectLogits(said.logits, () => tf.tensor2d(rows));
    cache.dispose();
    other.dispose();
  });

  it('goes on greedily as transformers does', () => {
    const cache = new KeyValueCache(model.config);
    expect(greedyTokens(weights, said.ids, { count: 16, cache })).toEqual(said.greedy);
    expect(cache.length).toBe(said.ids.length + 15);
    cache.dispose();
  });
});

function expectLogits(expected: number[][], compute: () => tf.Tensor2D): void {
  const rows = tf.tidy(() => compute().arraySync());
  const found = rows.map((row) => {
    const largest = Math.max(...row);
    const sum = row.reduce((total, logit) => total + Math.exp(logit - largest), 0);
    return [...row.slice(0, 8), ...row.slice(-8), largest + Math.log(sum)];
  });
  expect(found.length).toBe(expected.length);
  for (const [index, row] of found.entries()) {
    for (const [column, value] of row.entries()) expect(Math.abs(value - expected[index]![column]!)).toBeLessThan(1e-4);
  }
}

describe('numbers of GGUF files', () => {
  const files = Object.entries(models).flatMap(([name, { gguf }]) =>
    Object.entries(gguf).map(([type, { dequantised }]) => ({ file: `${name}-${type}.gguf`, dequantised })),
  );

  it.each(files)('of $file are those of gguf to the bit', async ({ file, dequantised }) => {
    const opened = await openGguf(FIXTURES + file);
    for (const [name, digest] of Object.entries(dequantised)) {
      const values = await opened.read(opened.entries.get(name)!);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      expect(createHash('sha256').update(bytes).digest('hex'), name).toBe(digest);
    }
    await opened.close();
  });
});
