import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../../compute/backend.ts';
import type { BaseModel } from '../base-model.ts';
import { loadWeights, type ModelWeights } from '../forward/weights.ts';
import { openBaseModel } from '../open.ts';
import { choiceOf } from './choices.ts';
import { masksOf } from './constraint.ts';
import { GenerationEngine } from './engine.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const { models } = JSON.parse(readFileSync(`${FIXTURES}expected.json`, 'utf8')) as { models: Record<string, { ids: number[] }> };

describe('a list of choices', () => {
  let model: BaseModel;
  let weights: ModelWeights;
  let engine: GenerationEngine;
  const prompt = models['llama-tied']!.ids;
  const choices = ['refund', 'refund order', 'cancel', 'ship it'];
  beforeAll(async () => {
    await initCompute();
    model = await openBaseModel(`${FIXTURES}llama-tied`);
    weights = await loadWeights(model);
    engine = new GenerationEngine(weights);
  });
  afterAll(async () => {
    engine.dispose();
    weights.dispose();
    await model.close();
  });

  it('is what texts are drawn from, with probabilities that add up to 1', async () => {
    const { tokenizer } = model;
    const constraint = choiceOf(choices, tokenizer);
    const stop = 0;
    const common = { prompt, constraint, stopTokens: [stop] };
    const seen = new Map<string, number>();
    const texts = await Promise.all(
      Array.from({ length: 40 }, (_, seed) => engine.generate({ ...common, temperature: 1.5, seed, maxTokens: 20 })),
    );
    for (const { tokens, logProbabilities, finish } of texts) {
      expect(finish).toBe('stop');
      const text = tokenizer.decode(tokens.filter((token) => token !== stop));
      expect(choices).toContain(text);
      seen.set(
        text,
        logProbabilities.reduce((total, log) => total + log, 0),
      );
      const scores = await engine.score({ ...common, tokens, temperature: 1.5 });
      scores.forEach((score, index) => expect(score).toBeCloseTo(logProbabilities[index]!, 4));
      masksOf(constraint, tokens, [stop]).forEach((mask, index) => expect(mask).toContain(tokens[index]));
    }
    expect(seen.size).toBe(choices.length);
    expect([...seen.values()].reduce((total, log) => total + Math.exp(log), 0)).toBeCloseTo(1, 4);
  });

  it('gives other texts no probability', async () => {
    const constraint = choiceOf(choices, model.tokenizer);
    const tokens = model.tokenizer.encode('cancer', { special: false });
    const scores = await engine.score({ prompt, constraint, stopTokens: [0], tokens, temperature: 1 });
    expect(scores.at(-1)).toBe(-Infinity);
    expect(() => masksOf(constraint, tokens, [0])).toThrow(/the constraint does not allow token/);
  });

  it('refuses lists that say nothing, and a text that could not end', async () => {
    expect(() => choiceOf([], model.tokenizer)).toThrow(/there are none/);
    expect(() => choiceOf(['a', ''], model.tokenizer)).toThrow(/choices\[1\] is empty/);
    const request = { prompt, constraint: choiceOf(choices, model.tokenizer), temperature: 1, seed: 0, maxTokens: 4 };
    await expect(engine.generate(request)).rejects.toMatchObject({ field: 'stopTokens' });
  });
});
