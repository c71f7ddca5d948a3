import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../tensor-files/safetensors.ts';
import { chatFormat } from '../chat/format.ts';
import { layoutOf } from '../config.ts';
import { openBaseModel } from '../open.ts';
import { learnBytePairs } from './byte-pairs.ts';
import type { NewModel } from './description.ts';
import { newModelFiles, openNewModel } from './new-model.ts';

const CALL = '<tool_call>\n{"name": "pick", "arguments": {"box": 3}}\n</tool_call>';
const made: NewModel = {
  ...{ layers: 2, width: 16, heads: 2, feedForward: 32, contextLength: 64, vocabulary: 320, seed: 3 },
  text: `a red box a tin box\n${CALL}\n${CALL}`,
};

describe('byte pairs', () => {
  it('are those that come most often, the first met of equals, and none that comes once', () => {
    const { tokens, merges } = learnBytePairs('low low low lower', 1000);
    expect(merges).toEqual([
      ['l', 'o'],
      ['lo', 'w'],
      ['Ġ', 'low'],
    ]);
    expect(tokens).toHaveLength(256 + 3);
    expect(learnBytePairs('low low low lower', 257).merges).toHaveLength(1);
  });
});

describe('a new model', () => {
  it('is the same one for the same description, and another one for another seed', async () => {
    const digest = await openNewModel(made).digest();
    expect(await openNewModel({ ...made }).digest()).toBe(digest);
    expect(await openNewModel({ ...made, seed: 4 }).digest()).not.toBe(digest);
  });

  it('has a tokenizer that writes any text and gives it back, in fewer tokens where it was learned from', () => {
    const { tokenizer, config } = openNewModel(made);
    for (const text of ['a red box', CALL, 'Grüße, 你好 \t\n🙂', '']) {
      const tokens = tokenizer.encode(text, { special: false });
      expect(tokenizer.decode(tokens)).toBe(text);
      expect(tokens.every((token) => token < config.vocabulary)).toBe(true);
    }
    expect(tokenizer.encode(CALL, { special: false }).length).toBeLessThan(CALL.length / 2);
    expect(config.vocabulary % 32).toBe(0);
  });

  it('shows tools by their names, and ends its messages', () => {
    const { chatTemplate, tokenizer, stopTokens } = openNewModel(made);
    const format = chatFormat(chatTemplate!, { stops: [tokenizer.decode(stopTokens)], specials: tokenizer.specials });
    const tools = [{ name: 'pick', description: 'Picks a box.', parameters: { type: 'object' } }];
    const conversation = { messages: [{ role: 'user' as const, content: 'red' }], tools };
    expect(format).toMatchObject({ ownTools: true, end: '<|end|>' });
    expect(format.prompt(conversation)).toBe('<|system|>pick <|end|><|user|>red<|end|><|assistant|>');
    expect(format.write({ content: '', calls: [{ tool: 'pick', arguments: { box: 3 } }] })).toBe(CALL);
  });

  it('is the same model as a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-new-model-'));
    try {
      const model = openNewModel(made);
      for (const [name, text] of Object.entries(newModelFiles(made))) await writeFile(join(folder, name), text);
      const read = async (name: string): Promise<Float32Array> => model.readTensor(name);
      const tensors = await Promise.all(layoutOf(model.config).map(async (each) => ({ ...each, values: await read(each.name) })));
      await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(tensors));
      const opened = await openBaseModel(folder);
      expect(opened.config).toEqual(model.config);
      expect(await opened.digest()).toBe(await model.digest());
      await opened.close();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
