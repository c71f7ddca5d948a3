import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../tensor-files/safetensors.ts';
import { layoutOf } from './config.ts';
import { openBaseModel } from './open.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-base-model-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function editJson(name: string, change: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(await readFile(join(folder, name), 'utf8')) as object;
  await writeFile(join(folder, name), JSON.stringify({ ...json, ...change }));
}

const config = (change: Record<string, unknown>) => () => editJson('config.json', change);

it.each(['qwen2', 'qwen2-BF16.gguf'])('%s names its special tokens', async (name) => {
  const model = await openBaseModel(`${FIXTURES}${name}`);
  expect(model.tokenizer.specials).toEqual(['<|endoftext|>', '<|im_start|>', '<|im_end|>']);
  await model.close();
});

describe('a model that cannot be used', () => {
  it.each<[string, () => Promise<unknown>, string, RegExp]>([
    [
      'another architecture',
      config({ model_type: 'gemma3' }),
      'invalid_argument',
      /model_type "gemma3"; supported: llama, qwen2, qwen3/,
    ],
    [
      'no language model',
      config({ architectures: ['LlamaForSequenceClassification'] }),
      'invalid_argument',
      /supported: Qwen2ForCausalLM/,
    ],
    ['another activation', config({ hidden_act: 'gelu' }), 'invalid_argument', /hidden_act "gelu"; supported: "silu"/],
    [
      'a quantised model',
      config({ quantization_config: { bits: 4 } }),
      'invalid_argument',
      /quantization_config; take the weights as/,
    ],
    ['sliding windows', config({ use_sliding_window: true }), 'invalid_argument', /use_sliding_window true/],
    [
      'layers of windows',
      config({ layer_types: ['sliding_attention'] }),
      'invalid_argument',
      /layer_types with "sliding_attention"/,
    ],
    [
      'other positions',
      config({ rope_parameters: { rope_type: 'yarn' } }),
      'invalid_argument',
      /rope_type "yarn"; supported: "default"/,
    ],
    ['positions without their numbers', config({ rope_parameters: { rope_type: 'llama3' } }), 'data_loss', /factor is missing/],
    ['an absurd width', config({ hidden_size: 1e15 }), 'data_loss', /width is 1000000000000000, not an integer from 1 to/],
    ['absurdly many layers', config({ num_hidden_layers: 1e9 }), 'data_loss', /layers is 1000000000/],
    [
      'an absurd head',
      config({ head_dim: 1e12, rope_parameters: { rope_type: 'llama3', factor: 8 } }),
      'data_loss',
      /headSize is/,
    ],
    ['heads that do not go together', config({ num_key_value_heads: 3 }), 'data_loss', /4 heads of queries cannot share 3/],
    ['a number that is a text', config({ num_hidden_layers: '2' }), 'data_loss', /num_hidden_layers is "2"; expected a number/],
    ['another number of layers', config({ num_hidden_layers: 3 }), 'data_loss', /model\.layers\.2\.\S+ is missing/],
    ['another width', config({ intermediate_size: 96 }), 'data_loss', /has shape \[64, 32\]; the configuration needs \[96, 32\]/],
    ['a head that is not stored', config({ tie_word_embeddings: false }), 'data_loss', /lm_head\.weight is missing/],
    [
      'a bias where there should be none',
      config({ model_type: 'llama', architectures: undefined }),
      'invalid_argument',
      /k_proj\.bias|q_proj\.bias/,
    ],
    [
      'fewer tokens than the tokenizer has',
      config({ vocab_size: 100 }),
      'data_loss',
      /has token id \d+; the model has 100 tokens/,
    ],
    ['a broken config.json', () => writeFile(join(folder, 'config.json'), '{'), 'data_loss', /config\.json is not a JSON object/],
    ['a broken tokenizer', () => writeFile(join(folder, 'tokenizer.json'), '{}'), 'data_loss', /not a usable tokenizer/],
    ['no tokenizer', () => rm(join(folder, 'tokenizer.json')), 'not_found', /no file .*tokenizer\.json/],
    ['no weights', () => rm(join(folder, 'model.safetensors')), 'not_found', /neither model\.safetensors nor/],
    [
      'half of the weights',
      () => truncate(join(folder, 'model.safetensors'), 30_000),
      'data_loss',
      /model\.safetensors is not a usable/,
    ],
    [
      'shards outside of the folder',
      () => writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: '../x.safetensors' } })),
      'data_loss',
      /does not name safetensors files of the folder/,
    ],
    [
      'a shard that is not there',
      () => writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: 'x.safetensors' } })),
      'not_found',
      /x\.safetensors/,
    ],
    [
      'a broken template',
      () => writeFile(join(folder, 'chat_template.jinja'), '{% for %}'),
      'data_loss',
      /template cannot be parsed/,
    ],
  ])('%s', async (_what, damage, code, message) => {
    await cp(`${FIXTURES}qwen2`, folder, { recursive: true });
    await damage();
    await expect(openBaseModel(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as unknown });
  });

  it('is not there', async () => {
    await expect(openBaseModel(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'not_found', field: 'base' });
  });

  it('is a GGUF file that is cut off', async () => {
    const file = join(folder, 'model.gguf');
    await cp(`${FIXTURES}llama-tied-Q4_0.gguf`, file);
    for (const size of [0, 3, 100, 5000, 20_000]) {
      await truncate(file, size).catch(() => undefined);
      await expect(openBaseModel(file)).rejects.toMatchObject({ code: 'data_loss' });
      await cp(`${FIXTURES}llama-tied-Q4_0.gguf`, file);
    }
  });

  it('has weights that are no numbers', async () => {
    await cp(`${FIXTURES}qwen2`, folder, { recursive: true });
    const model = await openBaseModel(folder);
    const tensors = await Promise.all(
      layoutOf(model.config).map(async ({ name, shape }) => ({ name, shape, values: await model.readTensor(name) })),
    );
    await model.close();
    tensors[3]!.values[5] = NaN;
    await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(tensors));
    const damaged = await openBaseModel(folder);
    await expect(damaged.readTensor(tensors[3]!.name)).rejects.toMatchObject({ code: 'data_loss' });
    await expect(damaged.readTensor('other')).rejects.toMatchObject({ code: 'invalid_argument' });
    await damaged.close();
  });
});

describe('the digest of a model', () => {
  async function digestOf(path: string): Promise<string> {
    const model = await openBaseModel(path);
    const digest = await model.digest();
    await model.close();
    return digest;
  }

  it('depends neither on shards nor on how numbers are stored', async () => {
    const digest = await digestOf(`${FIXTURES}qwen2`);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    await cp(`${FIXTURES}qwen2`, folder, { recursive: true });
    const model = await openBaseModel(folder);
    const tensors = await Promise.all(
      layoutOf(model.config).map(async ({ name, shape }) => ({ name, shape, values: await model.readTensor(name) })),
    );
    await model.close();
    // Two shards of float32 in place of one of bfloat16.
    const files = { 'a.safetensors': tensors.slice(0, 9), 'b.safetensors': tensors.slice(9) };
    const map = Object.entries(files).flatMap(([file, part]) => part.map(({ name }) => [name, file]));
    await writeFile(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: Object.fromEntries(map) as unknown }),
    );
    for (const [file, part] of Object.entries(files)) await writeFile(join(folder, file), encodeSafetensors(part));
    expect(await digestOf(folder)).toBe(digest);
  });

  it('is another for other weights, tokens, templates and constants', async () => {
    await cp(`${FIXTURES}qwen2`, folder, { recursive: true });
    const digests = [await digestOf(folder)];
    await writeFile(join(folder, 'chat_template.jinja'), 'x');
    digests.push(await digestOf(folder));
    await editJson('config.json', { rms_norm_eps: 0.001 });
    digests.push(await digestOf(folder));
    await editJson('tokenizer.json', { normalizer: null });
    digests.push(await digestOf(folder));
    digests.push(await digestOf(`${FIXTURES}qwen3`));
    expect(new Set(digests).size).toBe(5);
  });
});
