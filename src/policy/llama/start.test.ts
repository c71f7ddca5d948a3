import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPeft } from '../../base-model/adapter/peft.ts';
import { openBaseModel } from '../../base-model/open.ts';
import { writeTinyModel } from '../../base-model/testing.ts';
import { initCompute } from '../../compute/backend.ts';
import { llamaKind } from './kind.ts';
import type { LlamaSpec } from './spec.ts';

const FIXTURES = fileURLToPath(new URL('../../base-model/', import.meta.url));
const QWEN = `${FIXTURES}fixtures/qwen2`;
const ADAPTER = `${FIXTURES}adapter/fixtures/qwen2`;

let folder: string;
beforeAll(async () => {
  await initCompute();
  folder = await mkdtemp(join(tmpdir(), 'millrace-llama-start-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function specOf(settings: Record<string, unknown>): Promise<LlamaSpec> {
  const resolved = await llamaKind.resolve(llamaKind.settings.parse(settings));
  const flow = { tools: [], features: { state: [], item: [], action: [] } };
  return llamaKind.specification(flow, resolved, { seed: 1, value: false });
}

describe('what a language model starts from', () => {
  it('is an adapter that PEFT wrote, with its own shape', async () => {
    const spec = await specOf({ base: QWEN, adapter: { rank: 64, start: ADAPTER } });
    const model = await openBaseModel(QWEN);
    const { shape, values } = await readPeft(ADAPTER, model.config);
    await model.close();
    expect(spec.train).toEqual(shape);
    expect(llamaKind.initial(spec).values).toEqual(values);
    const fresh = await specOf({ base: QWEN, adapter: { rank: shape.rank, alpha: shape.alpha, targets: shape.targets } });
    expect(llamaKind.difference(fresh, spec)).toBeUndefined();
    expect(llamaKind.initial(fresh).values).not.toEqual(values);
    const other = await specOf({ base: QWEN, adapter: { rank: 3 } });
    expect(llamaKind.difference(other, spec)).toEqual({ field: 'adapter.rank', first: '3', second: '2' });
  });

  it('is the base itself where all weights are trained', async () => {
    const spec = await specOf({ base: QWEN, train: 'all' });
    const model = await openBaseModel(QWEN);
    const { tensors, values } = llamaKind.initial(spec);
    const { offset, size } = tensors.find(({ name }) => name === 'model.norm.weight')!;
    expect(values.subarray(offset, offset + size)).toEqual(await model.readTensor('model.norm.weight'));
    await model.close();
    await expect(specOf({ base: QWEN, train: 'all', adapter: { start: ADAPTER } })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'policy.adapter.start',
    });
  });

  it('is the same random weights everywhere, where the model is a new one', async () => {
    const made = { layers: 1, width: 16, heads: 2, feedForward: 16, text: 'a red box' };
    const spec = await specOf({ new: made, train: 'all' });
    await llamaKind.load(spec);
    const again = await specOf({ new: made, train: 'all' });
    expect(again).toEqual(spec);
    expect(llamaKind.difference(spec, await specOf({ new: { ...made, seed: 2 }, train: 'all' }))?.field).toBe('base');
    expect(llamaKind.initial(spec).values.every(Number.isFinite)).toBe(true);
  });

  it.each([
    ['policy.base', { train: 'all' }, /name a base model, or describe a small new one/],
    ['policy.new', { base: QWEN, new: { text: 'x' }, train: 'all' }, /leave one of policy\.base and policy\.new out/],
    ['policy.train', { new: { text: 'x' } }, /set it to all with policy\.new/],
    ['policy.new.heads', { new: { text: 'x', width: 20, heads: 4 }, train: 'all' }, /got 4, and width 20 is no even multiple/],
  ])('needs one model that makes sense: %s', async (field, settings, message) => {
    await expect(specOf(settings)).rejects.toMatchObject({ field, message: expect.stringMatching(message) as string });
  });

  it('is refused where the files hold another model than the policy is of', async () => {
    const base = await writeTinyModel(join(folder, 'model'), { words: ['red'] });
    const spec = await specOf({ base });
    await writeTinyModel(base, { words: ['red'], seed: 8 });
    await expect(llamaKind.load(spec)).rejects.toMatchObject({ code: 'failed_precondition', field: 'policy.base' });
    await writeFile(join(base, 'config.json'), '{}');
    await expect(specOf({ base })).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('writes nothing where the prompt leaves no position', async () => {
    const base = await writeTinyModel(join(folder, 'short'), { words: ['red'] });
    const spec = await specOf({ base });
    await llamaKind.load(spec);
    const actor = llamaKind.actor(spec, { tools: [], features: { state: [], item: [], action: [] } });
    const policy = actor.policy();
    policy.load(llamaKind.initial(spec).values);
    const table = actor.situations();
    const conversation = { messages: [{ role: 'user' as const, content: 'red'.repeat(300) }], tools: [] };
    const situation = table.add({ items: [], actions: [], conversation });
    await expect(policy.generate!([{ table, situation, temperature: 1, seed: 1 }])).rejects.toThrow(
      /256 positions, and needs one/,
    );
    policy.dispose();
  });
});
