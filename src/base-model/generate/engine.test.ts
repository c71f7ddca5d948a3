import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../../compute/backend.ts';
import type { Random } from '../../random/random.ts';
import { seededRandom } from '../../random/seeded.ts';
import { initialAdapter, type AdapterShape } from '../adapter/shape.ts';
import type { BaseModel } from '../base-model.ts';
import { loadAdapter, type Adapter } from '../forward/adapter.ts';
import { loadWeights, type ModelWeights } from '../forward/weights.ts';
import { openBaseModel } from '../open.ts';
import { GenerationEngine, type EngineOptions } from './engine.ts';
import type { TextRequest, WrittenText } from './request.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const { models } = JSON.parse(readFileSync(`${FIXTURES}expected.json`, 'utf8')) as {
  models: Record<string, { ids: number[]; greedy: number[] }>;
};
const SHAPE: AdapterShape = { rank: 2, alpha: 4, targets: ['q', 'v', 'down'] };

interface Opened {
  model: BaseModel;
  weights: ModelWeights;
}

async function open(name: string): Promise<Opened> {
  const model = await openBaseModel(FIXTURES + name);
  return { model, weights: await loadWeights(model) };
}

async function withEngine<T>(
  weights: ModelWeights,
  options: EngineOptions,
  use: (engine: GenerationEngine) => Promise<T>,
): Promise<T> {
  const engine = new GenerationEngine(weights, options);
  try {
    return await use(engine);
  } finally {
    engine.dispose();
  }
}

beforeAll(async () => {
  await initCompute();
});

describe.each(Object.keys(models))('texts of %s', (name) => {
  let opened: Opened;
  let tensors: number;
  beforeAll(async () => {
    tensors = tf.memory().numTensors;
    opened = await open(name);
  });
  afterAll(async () => {
    opened.weights.dispose();
    await opened.model.close();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it.each([
    { deterministic: true, compiled: false },
    { deterministic: false, compiled: false },
    { deterministic: true, compiled: true },
  ])('at temperature 0 are those of transformers: %j', async (how) => {
    const { ids, greedy } = models[name]!;
    await withEngine(opened.weights, { ...how, rowsPerPass: 5, texts: 3 }, async (engine) => {
      const request = { prompt: ids, temperature: 0, seed: 0, maxTokens: greedy.length };
      const [whole, part] = await Promise.all([
        engine.generate(request),
        engine.generate({ ...request, maxTokens: 5, prompt: ids.slice(0, 4) }),
        engine.generate({ ...request, prompt: ids.slice(2, 4) }),
      ]);
      expect(whole).toMatchObject({ tokens: greedy, finish: 'length' });
      const scores = await engine.score({ prompt: ids, tokens: greedy, temperature: 1 });
      scores.forEach((score, index) => expect(score).toBeCloseTo(whole.logProbabilities[index]!, 4));
      expect(part.tokens).toHaveLength(5);
    });
  });
});

describe('an engine', () => {
  let opened: Opened;
  let adapters: (Adapter | undefined)[];
  beforeAll(async () => {
    opened = await open('llama-tied');
    const { config } = opened.weights;
    const random = seededRandom(5);
    const adapter = (): Adapter =>
      loadAdapter(
        config,
        SHAPE,
        initialAdapter(config, SHAPE, 1).map(() => 0.2 * random.normal()),
      );
    adapters = [undefined, adapter(), adapter()];
  });
  afterAll(async () => {
    for (const adapter of adapters) adapter?.dispose();
    opened.weights.dispose();
    await opened.model.close();
  });

  /** Requests of several groups whose members share a prompt, and of groups whose prompts begin alike. */
  function requests(count: number): TextRequest[] {
    const random = seededRandom(11);
    const { vocabulary } = opened.weights.config;
    const ids = (length: number): number[] => Array.from({ length }, () => random.integer(vocabulary));
    const system = ids(9);
    const prompts = Array.from({ length: count / 8 }, () => [...system, ...ids(1 + random.integer(4))]);
    return Array.from({ length: count }, (_, index) => ({
      prompt: prompts[index % prompts.length]!,
      adapter: adapters[index % 3],
      temperature: [0, 0.7, 1.3][random.integer(3)]!,
      maxTokens: 1 + random.integer(5),
      seed: index,
      ...(index % 5 === 0 && { topP: 0.8 }),
      ...(index % 7 === 0 && { topK: 20 }),
    }));
  }

  function shuffled<T>(items: readonly T[], random: Random): T[] {
    const order = [...items];
    for (let last = order.length - 1; last > 0; last--) {
      const other = random.integer(last + 1);
      [order[last], order[other]] = [order[other]!, order[last]!];
    }
    return order;
  }

  async function answers(
    asked: readonly TextRequest[],
    options: EngineOptions,
  ): Promise<{ texts: WrittenText[]; computed: number }> {
    return withEngine(opened.weights, options, async (engine) => {
      const order = shuffled([...asked.keys()], seededRandom(JSON.stringify(options)));
      const texts: WrittenText[] = [];
      await Promise.all(order.map(async (index) => void (texts[index] = await engine.generate(asked[index]!))));
      return { texts, computed: engine.computedTokens };
    });
  }

  it('says the same to the bit of 200 requests in any order and batch, with and without its prefix cache', async () => {
    const asked = requests(200);
    const first = await answers(asked, { deterministic: true });
    const second = await answers(asked, { deterministic: true, prefixCacheBytes: 0, texts: 7, rowsPerPass: 11 });
    const third = await answers(asked, { deterministic: true, prefixCacheBytes: 30_000, texts: 64, rowsPerPass: 64 });
    expect(second.texts).toEqual(first.texts);
    expect(third.texts).toEqual(first.texts);
    expect(first.computed).toBeLessThan(second.computed / 2);
    const [alone] = (await answers([asked[17]!], { deterministic: true })).texts;
    expect(alone).toEqual(first.texts[17]);
    const fast = await answers(asked, { compiled: false });
    fast.texts.forEach(({ tokens, logProbabilities }, index) => {
      const exact = first.texts[index]!;
      const same = tokens.every((token, place) => token === exact.tokens[place]);
      if (same)
        logProbabilities.forEach((log, place) => expect(Math.abs(log - exact.logProbabilities[place]!)).toBeLessThan(1e-4));
    });
    const equal = fast.texts.filter(({ tokens }, index) => tokens.join() === first.texts[index]!.tokens.join());
    expect(equal.length).toBeGreaterThan(190);
  });

  it('says the same to the bit on plain operations', async () => {
    const asked = requests(16);
    const plain = { deterministic: true, compiled: false };
    const first = await answers(asked, plain);
    const second = await answers(asked, { ...plain, prefixCacheBytes: 0, texts: 3, rowsPerPass: 5 });
    expect(second.texts).toEqual(first.texts);
  });

  it('goes on from shared pages as if it had computed them itself', async () => {
    const long = Array.from({ length: 37 }, (_, index) => (index * 13) % 50);
    const asked = [20, 32, 33, 37].map((length): TextRequest => ({
      ...{ prompt: long.slice(0, length), adapter: adapters[1], temperature: 1, seed: length, maxTokens: 20 },
    }));
    const shared = await answers(asked, { deterministic: true, texts: 1, rowsPerPass: 16 });
    const own = await answers(asked, { deterministic: true, prefixCacheBytes: 0 });
    expect(shared.texts).toEqual(own.texts);
    expect(shared.computed).toBeLessThan(own.computed);
  });

  it('ends at stop tokens and at stop texts', async () => {
    const prompt = models['llama-tied']!.ids;
    const { greedy } = models['llama-tied']!;
    const { tokenizer } = opened.model;
    await withEngine(opened.weights, { tokenizer }, async (engine) => {
      const base = { prompt, temperature: 0, seed: 0, maxTokens: greedy.length };
      const stopped = await engine.generate({ ...base, stopTokens: [greedy[3]!] });
      expect(stopped).toMatchObject({ tokens: greedy.slice(0, greedy.indexOf(greedy[3]!) + 1), finish: 'stop' });
      const text = tokenizer.decode(greedy.slice(0, 4)).slice(-2);
      const cut = await engine.generate({ ...base, stopStrings: [text] });
      expect(cut.finish).toBe('stop');
      expect(tokenizer.decode(cut.tokens)).toContain(text);
      expect(tokenizer.decode(cut.tokens.slice(0, -1))).not.toContain(text);
    });
  });

  it('cancels requests whose signal is aborted, and completes the others', async () => {
    await withEngine(opened.weights, { texts: 2 }, async (engine) => {
      const controller = new AbortController();
      const base = { prompt: [1, 2, 3], temperature: 1, seed: 1, maxTokens: 40 };
      const running = engine.generate({ ...base, signal: controller.signal });
      const others = [engine.generate(base), engine.generate({ ...base, seed: 2 })];
      const waiting = engine.generate({ ...base, signal: controller.signal });
      controller.abort(new Error('no longer'));
      await expect(running).rejects.toMatchObject({ code: 'cancelled' });
      await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
      for (const text of await Promise.all(others)) expect(text.tokens).toHaveLength(40);
      const open = engine.generate(base);
      await new Promise(setImmediate);
      engine.dispose();
      await expect(open).rejects.toThrow(/disposed/);
      await expect(engine.generate(base)).rejects.toThrow(/disposed/);
    });
  });

  it('computes what forgotten adapters began again', async () => {
    await withEngine(opened.weights, {}, async (engine) => {
      const request = { prompt: [5, 6, 7, 8, 9, 10], adapter: adapters[1], temperature: 1, seed: 1, maxTokens: 1 };
      const first = await engine.generate(request);
      const before = engine.computedTokens;
      expect(await engine.generate(request)).toEqual(first);
      expect(engine.computedTokens).toBe(before + 1);
      engine.forget(adapters[1]);
      await engine.generate(request);
      expect(engine.computedTokens).toBe(before + 7);
    });
  });

  it.each([
    ['prompt', { prompt: [] }],
    ['prompt', { prompt: [1, 100_000] }],
    ['temperature', { temperature: -1 }],
    ['temperature', { temperature: NaN }],
    ['topP', { topP: 0 }],
    ['topK', { topK: 0.5 }],
    ['maxTokens', { maxTokens: 0 }],
    ['maxTokens', { maxTokens: 1e6 }],
    ['seed', { seed: -1 }],
    ['stopTokens', { stopTokens: [-1] }],
    ['stopStrings', { stopStrings: ['x'] }],
    ['stopStrings', { stopStrings: [''] }],
  ])('refuses a request whose %s makes no sense: %j', async (field, change) => {
    await withEngine(opened.weights, {}, async (engine) => {
      const request = { prompt: [1], temperature: 1, seed: 0, maxTokens: 4, ...change };
      await expect(engine.generate(request)).rejects.toMatchObject({ code: 'invalid_argument', field });
    });
  });

  it('refuses options that make no sense', () => {
    expect(() => new GenerationEngine(opened.weights, { texts: 9, rowsPerPass: 8 })).toThrow(/texts: 9 is more than/);
    expect(() => new GenerationEngine(opened.weights, { rowsPerPass: 0 })).toThrow(/rowsPerPass: 0 is not/);
  });

  it('rejects a text whose logits are not finite, and no other', async () => {
    const { config } = opened.weights;
    const broken = loadAdapter(config, SHAPE, initialAdapter(config, SHAPE, 1).fill(NaN));
    await withEngine(opened.weights, { prefixCacheBytes: 0 }, async (engine) => {
      const request = { prompt: [1, 2], temperature: 1, seed: 0, maxTokens: 2 };
      const bad = engine.generate({ ...request, adapter: broken });
      const good = engine.generate(request);
      await expect(bad).rejects.toMatchObject({ code: 'failed_precondition' });
      expect((await good).tokens).toHaveLength(2);
    });
    broken.dispose();
  });
});
