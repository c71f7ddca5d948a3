import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportCheckpoint } from './export-checkpoint.ts';
import { openBaseModel } from '../../src/base-model/open.ts';
import { writeTinyModel } from '../../src/base-model/testing.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { PolicyActor } from '../../src/policy/kind.ts';
import { llamaKind } from '../../src/policy/llama/kind.ts';
import { llamaSettings } from '../../src/policy/llama/settings.ts';
import type { LlamaSpec } from '../../src/policy/llama/spec.ts';

const FLOW = { tools: [], features: { state: [], item: [], action: [] } };
const ADAPTER = { rank: 3, alpha: 5, targets: ['q', 'v', 'down'] };

let folder: string;
let base: string;
beforeAll(async () => {
  await initCompute();
  folder = await mkdtemp(join(tmpdir(), 'millrace-export-'));
  base = await writeTinyModel(join(folder, 'base'), { words: ['red', 'tin', 'box', ' '], layers: 2 });
});
afterAll(() => rm(folder, { recursive: true }));

async function specOf(settings: object, value = false): Promise<LlamaSpec> {
  const resolved = await llamaKind.resolve(llamaSettings.parse({ base, ...settings }));
  const spec = llamaKind.specification(FLOW, resolved, { seed: 4, value });
  await llamaKind.load(spec);
  return spec;
}

/** Weights that are not those of the start. */
function moved(spec: LlamaSpec): Float32Array {
  const random = seededRandom(8);
  return llamaKind.initial(spec).values.map((value) => value + 0.3 * random.normal());
}

const WRITTEN = [6, 8, 7, 0];

/** What a policy with these weights says about a text, and all of its tokens. */
async function scoredTokens(spec: LlamaSpec, weights: Float32Array): Promise<{ logs: number[]; tokens: number[] }> {
  const actor: PolicyActor = llamaKind.actor(spec, FLOW);
  const policy = actor.policy();
  policy.load(weights);
  const table = actor.situations();
  const messages = [{ role: 'user' as const, content: 'red box' }];
  const situation = table.add({ items: [], actions: [], conversation: { messages, tools: [] } });
  const [logs] = await policy.score!([{ table, situation, tokens: WRITTEN, temperature: 1 }]);
  policy.dispose();
  return { logs: logs!, tokens: [...table.prompt!(situation), ...WRITTEN] };
}

async function scored(spec: LlamaSpec, weights: Float32Array): Promise<number[]> {
  return (await scoredTokens(spec, weights)).logs;
}

/** Exports a checkpoint with these weights, as the command does. */
async function exported(name: string, spec: LlamaSpec, values: Float32Array, flags: object = {}): Promise<string> {
  const [checkpoint, out] = [join(folder, `${name}-checkpoint`), join(folder, name)];
  await saveCheckpoint(checkpoint, { spec, parameters: { tensors: llamaKind.layout(spec), values }, meta: {} });
  const context = { cwd: folder, print: () => undefined };
  await exportCheckpoint(checkpoint, { format: 'peft', out, numbers: 'F32', ...flags }, context);
  return out;
}

const close = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 4) as unknown);

describe('weights of a language model, exported', () => {
  it('as an adapter say the same when training starts from it, without the head of a critic', async () => {
    const spec = await specOf({ adapter: ADAPTER }, true);
    const weights = moved(spec);
    const out = await exported('peft', spec, weights);
    expect((await readdir(out)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const again = await specOf({ adapter: { start: out } });
    expect(again.train).toEqual(spec.train);
    expect(await scored(again, llamaKind.initial(again).values)).toEqual(await scored(spec, weights));
  });

  it('merged are a model that says the same, within the rounding of its numbers', async () => {
    const spec = await specOf({ adapter: ADAPTER });
    const weights = moved(spec);
    const expected = await scored(spec, weights);
    const out = await exported('merged', spec, weights, { format: 'safetensors' });
    const merged = await specOf({ base: out });
    expect(await scored(merged, llamaKind.initial(merged).values)).toEqual(close(expected));
    const half = await exported('half', spec, weights, { format: 'safetensors', numbers: 'BF16' });
    expect(JSON.parse(await readFile(join(half, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype: 'bfloat16' });
    const rounded = await specOf({ base: half });
    const said = await scored(rounded, llamaKind.initial(rounded).values);
    said.forEach((log, i) => expect(Math.abs(log - expected[i]!)).toBeLessThan(0.1));
  });

  it('are those of all tensors where all were trained', async () => {
    const spec = await specOf({ train: 'all' });
    const weights = moved(spec);
    const model = await openBaseModel(await exported('all', spec, weights, { format: 'safetensors' }));
    expect(await model.readTensor('model.embed_tokens.weight')).toEqual(weights.slice(0, spec.base.config.vocabulary * 16));
    await model.close();
    await expect(exported('no-adapter', spec, weights)).rejects.toMatchObject({ code: 'failed_precondition', field: 'format' });
  });

  it('are refused in a folder with files, in an unknown form, and for another base model', async () => {
    const spec = await specOf({ adapter: ADAPTER });
    const weights = moved(spec);
    await mkdir(join(folder, 'full', 'files'), { recursive: true });
    await expect(exported('full', spec, weights)).rejects.toMatchObject({ code: 'failed_precondition', field: '--out' });
    await expect(exported('onnx', spec, weights, { format: 'onnx' })).rejects.toMatchObject({
      field: '--format',
      message: expect.stringContaining('expected one of peft, safetensors') as string,
    });
    const other = await writeTinyModel(join(folder, 'other'), { words: ['red', 'tin', 'box', ' '], layers: 2, seed: 9 });
    const given = { format: 'safetensors', base: other };
    await expect(exported('another', spec, weights, given)).rejects.toMatchObject({ code: 'failed_precondition', field: 'base' });
    // Nothing is left of what failed.
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('merged into a GGUF file are refused with the reason', async () => {
    const gguf = join(dirname(new URL(import.meta.url).pathname), '../../src/base-model/fixtures/llama-untied-F16.gguf');
    const spec = await specOf({ base: gguf, adapter: ADAPTER });
    await expect(exported('gguf', spec, moved(spec), { format: 'safetensors' })).rejects.toThrow(/is a GGUF file.*--format peft/);
  });

  // npm run test:long -- models sets it: a Python that has peft.
  const python = process.env['MILLRACE_PEFT_PYTHON'];
  it.skipIf(python === undefined)('say the same in peft and transformers', { timeout: 240_000 }, async () => {
    const spec = await specOf({ adapter: ADAPTER });
    const weights = moved(spec);
    const { logs, tokens } = await scoredTokens(spec, weights);
    const said = (...folders: string[]): number[] => {
      const args = ['scripts/base-model/exported.py', tokens.join(), ...folders];
      const all = JSON.parse(execFileSync(python!, args, { encoding: 'utf8' })) as number[];
      return all.slice(-WRITTEN.length);
    };
    const within = logs.map((log) => expect.closeTo(log, 3) as unknown);
    expect(said(base, await exported('for-peft', spec, weights))).toEqual(within);
    expect(said(await exported('for-transformers', spec, weights, { format: 'safetensors' }))).toEqual(within);
    const made = { layers: 2, width: 32, heads: 2, feedForward: 64, vocabulary: 288, contextLength: 64, text: 'red box' };
    const whole = await specOf({ base: undefined, new: made, train: 'all' });
    const own = await scoredTokens(whole, llamaKind.initial(whole).values);
    const folder = await exported('new', whole, llamaKind.initial(whole).values, { format: 'safetensors' });
    const args = ['scripts/base-model/exported.py', own.tokens.join(), folder];
    const all = JSON.parse(execFileSync(python!, args, { encoding: 'utf8' })) as number[];
    expect(all.slice(-WRITTEN.length)).toEqual(own.logs.map((log) => expect.closeTo(log, 3) as unknown));
  });
});
