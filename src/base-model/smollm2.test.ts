import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../compute/backend.ts';
import type { BaseModel } from './base-model.ts';
import { KeyValueCache } from './forward/cache.ts';
import { greedyTokens } from './forward/forward.ts';
import { loadWeights, type ModelWeights } from './forward/weights.ts';
import { choiceOf } from './generate/choices.ts';
import { GenerationEngine } from './generate/engine.ts';
import { jsonOf } from './generate/json-schema.ts';
import { openBaseModel } from './open.ts';

/** Set by npm run test:long -- models, once npm run setup:smollm2 has fetched the model. */
const file = process.env['MILLRACE_SMOLLM2'];

describe.runIf(file !== undefined)('SmolLM2', () => {
  let model: BaseModel;
  let weights: ModelWeights;
  let engine: GenerationEngine;
  beforeAll(async () => {
    await initCompute();
    model = await openBaseModel(file!);
    weights = await loadWeights(model);
    engine = new GenerationEngine(weights, { tokenizer: model.tokenizer });
  }, 120_000);
  afterAll(async () => {
    engine.dispose();
    weights.dispose();
    await model.close();
  });

  const asked = (question: string): number[] =>
    model.tokenizer.encode(model.chatTemplate!([{ role: 'user', content: question }]), { special: false });
  const common = (): { stopTokens: readonly number[]; seed: number; temperature: number } => ({
    stopTokens: model.stopTokens,
    ...{ seed: 0, temperature: 0 },
  });

  it('answers a question, as the reference does, beside another one', async () => {
    const prompt = asked('What is the capital of France?');
    const [answer] = await Promise.all([
      engine.generate({ ...common(), prompt, maxTokens: 40 }),
      engine.generate({ ...common(), prompt: asked('What is the capital of Italy?'), maxTokens: 20 }),
    ]);
    expect(answer.finish).toBe('stop');
    expect(model.tokenizer.decode(answer.tokens, { skipSpecial: true })).toBe('The capital of France is Paris.');
    const cache = new KeyValueCache(model.config);
    expect(greedyTokens(weights, prompt, { count: 40, stop: model.stopTokens, cache })).toEqual(answer.tokens);
    cache.dispose();
  }, 120_000);

  it('writes what a constraint allows', async () => {
    const prompt = asked(
      'A customer writes: I want my money back. Answer with the name of the tool to call: refund, track or cancel.',
    );
    const constraint = choiceOf(['refund', 'track', 'cancel'], model.tokenizer);
    const choice = await engine.generate({ ...common(), prompt, constraint, maxTokens: 8 });
    expect(['refund', 'track', 'cancel']).toContain(model.tokenizer.decode(choice.tokens, { skipSpecial: true }));
    const schema = {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 20 }, population: { type: 'integer', minimum: 0 } },
      required: ['city', 'population'],
    };
    const json = await engine.generate({
      ...common(),
      prompt: asked('Describe Paris as JSON with the fields city and population.'),
      constraint: jsonOf(schema, model.tokenizer),
      maxTokens: 60,
    });
    expect(JSON.parse(model.tokenizer.decode(json.tokens, { skipSpecial: true }))).toMatchObject({ city: 'Paris' });
  }, 120_000);
});
