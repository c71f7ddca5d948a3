import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../../compute/backend.ts';
import { decodeSafetensors } from '../../tensor-files/safetensors.ts';
import type { BaseModel } from '../base-model.ts';
import { loadAdapter, type Adapter } from '../forward/adapter.ts';
import { KeyValueCache } from '../forward/cache.ts';
import { forward, logitsOf } from '../forward/forward.ts';
import type { Sequence } from '../forward/inputs.ts';
import { loadWeights, type ModelWeights } from '../forward/weights.ts';
import { openBaseModel } from '../open.ts';
import { encodePeft, readPeft, type StoredAdapter } from './peft.ts';
import { adapterTensors, initialAdapter, PROJECTIONS } from './shape.ts';

// What peft says about random adapters: scripts/base-model/adapters.py.
const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const MODELS = fileURLToPath(new URL('../fixtures/', import.meta.url));
const { models } = JSON.parse(readFileSync(`${FIXTURES}expected.json`, 'utf8')) as {
  models: Record<string, { rank: number; alpha: number; prompt: number[]; logits: number[][] }>;
};

beforeAll(async () => {
  await initCompute({ preferred: 'cpu' });
});

describe.each(Object.entries(models))('an adapter of %s', (name, expected) => {
  let model: BaseModel;
  let weights: ModelWeights;
  let stored: StoredAdapter;
  let adapter: Adapter;
  let tensors: number;
  beforeAll(async () => {
    tensors = tf.memory().numTensors;
    model = await openBaseModel(MODELS + name);
    weights = await loadWeights(model);
    stored = await readPeft(FIXTURES + name, model.config);
    adapter = loadAdapter(model.config, stored.shape, stored.values);
  });
  afterAll(async () => {
    adapter.dispose();
    weights.dispose();
    await model.close();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  const rowsOf = (sequences: readonly Sequence[]): number[][] =>
    tf.tidy(() => logitsOf(weights, forward(weights, sequences)).arraySync());

  it('has the logits of peft', () => {
    expect(stored.shape).toMatchObject({ rank: expected.rank, alpha: expected.alpha });
    const rows = rowsOf([{ tokens: expected.prompt, adapter }]);
    for (const [index, row] of rows.entries()) {
      const largest = Math.max(...row);
      const sum = largest + Math.log(row.reduce((total, logit) => total + Math.exp(logit - largest), 0));
      for (const [column, value] of [...row.slice(0, 8), ...row.slice(-8), sum].entries()) {
        expect(Math.abs(value - expected.logits[index]![column]!)).toBeLessThan(1e-4);
      }
    }
  });

  it('works beside others in one batch, and token by token', () => {
    const other = loadAdapter(
      model.config,
      stored.shape,
      stored.values.map((value) => value * 0.5),
    );
    const cache = new KeyValueCache(model.config);
    const tokens = expected.prompt;
    const alone = [adapter, undefined, other, adapter].map((each) => rowsOf([{ tokens, ...(each && { adapter: each }) }]));
    const together = rowsOf([{ tokens, adapter }, { tokens }, { tokens, adapter: other }, { tokens, adapter }]);
    const differences = together.flatMap((row, r) => row.map((value, i) => Math.abs(value - alone.flat()[r]![i]!)));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
    expect(Math.abs(alone[0]!.at(-1)![3]! - alone[1]!.at(-1)![3]!)).toBeGreaterThan(1e-3);
    const steps = tokens.map((token) => rowsOf([{ tokens: [token], cache, adapter }])[0]!);
    steps.forEach((row, r) => row.forEach((value, i) => expect(Math.abs(value - alone[0]![r]![i]!)).toBeLessThan(1e-4)));
    cache.dispose();
    other.dispose();
  });

  it('is written as it was read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-adapter-'));
    const files = encodePeft(model.config, stored, 'some/base');
    for (const [file, bytes] of Object.entries(files)) await writeFile(join(folder, file), bytes);
    expect(await readPeft(folder, model.config)).toEqual(stored);
    const own = decodeSafetensors(files['adapter_model.safetensors']!, 'own').tensors;
    const theirs = decodeSafetensors(await readFile(join(FIXTURES, name, 'adapter_model.safetensors')), 'theirs').tensors;
    const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
    expect([...own].sort(byName)).toEqual([...theirs].sort(byName));
    const config = JSON.parse(Buffer.from(files['adapter_config.json']!).toString()) as { target_modules: string[] };
    const peft = JSON.parse(await readFile(join(FIXTURES, name, 'adapter_config.json'), 'utf8')) as { target_modules: string[] };
    expect([...config.target_modules].sort()).toEqual([...peft.target_modules].sort());
    await rm(folder, { recursive: true });
  });

  it('changes nothing at first, and is drawn the same again', () => {
    const shape = { rank: 2, alpha: 8, targets: PROJECTIONS };
    const values = initialAdapter(model.config, shape, 7);
    expect(initialAdapter(model.config, shape, 7)).toEqual(values);
    expect(initialAdapter(model.config, shape, 8)).not.toEqual(values);
    const first = adapterTensors(model.config, shape)[0]!.shape;
    const a = values.subarray(0, first[0]! * first[1]!);
    const bound = 1 / Math.sqrt(model.config.width);
    expect(Math.max(...a)).toBeLessThan(bound);
    expect(Math.max(...a)).toBeGreaterThan(0.8 * bound);
    expect(Math.min(...a)).toBeLessThan(-0.8 * bound);
    const fresh = loadAdapter(model.config, shape, values);
    expect(rowsOf([{ tokens: expected.prompt, adapter: fresh }])).toEqual(rowsOf([{ tokens: expected.prompt }]));
    fresh.dispose();
    expect(() => loadAdapter(model.config, shape, values.slice(1))).toThrow(/parameters, got/);
  });
});

describe('an adapter that cannot be used', () => {
  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['another kind', { peft_type: 'IA3' }, 'invalid_argument', /peft_type "IA3"; supported: "LORA"/],
    ['scaled by the root of its rank', { use_rslora: true }, 'invalid_argument', /use_rslora true/],
    ['ranks that differ', { rank_pattern: { q_proj: 4 } }, 'invalid_argument', /rank_pattern/],
    ['modules beside it', { modules_to_save: ['lm_head'] }, 'invalid_argument', /modules_to_save/],
    ['no rank', { r: 0 }, 'data_loss', /r is 0; expected a positive integer/],
    ['another rank', { r: 3 }, 'data_loss', /lora_A\.weight has shape \[2, 32\]; the configuration needs \[3, 32\]/],
    ['another model', {}, 'data_loss', /has shape/],
  ])('%s', async (what, change, code, message) => {
    const isOther = what === 'another model';
    const folder = await mkdtemp(join(tmpdir(), 'millrace-adapter-'));
    await cp(`${FIXTURES}${isOther ? 'qwen3' : 'qwen2'}`, folder, { recursive: true });
    const path = join(folder, 'adapter_config.json');
    await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), ...change }));
    const model = await openBaseModel(`${MODELS}qwen2`);
    await expect(readPeft(folder, model.config)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
    await model.close();
    await rm(folder, { recursive: true });
  });
});
