import { describe, expect, it } from 'vitest';
import type { Model, ModelRequest } from '../model.ts';
import type { Script } from '../testing/script.ts';
import { scriptedModel, type ScriptedModel } from '../testing/scripted-model.ts';
import { paid } from '../wrap/budget.ts';
import { routedByCost, routedByRule } from './choose.ts';
import { escalating } from './escalate.ts';
import { fallingBack } from './fallback.ts';

const REQUEST: ModelRequest = { messages: [{ role: 'user', content: 'What is 2 + 2?' }], maxTokens: 50 };
const named = (name: string, script: Script = [name]): ScriptedModel => scriptedModel(script, { name });
const failing = (status: number): Script => [{ fault: { status } }];

describe('fallbacks', () => {
  it('ask the next model when one fails, in their order', async () => {
    const [first, second, third] = [named('first', failing(500)), named('second', failing(401)), named('third')];
    const model = fallingBack([first, second, third], 'any');
    expect(model.name).toBe('any');
    expect((await model.generate(REQUEST)).text).toBe('third');
    const texts = [];
    for await (const event of model.stream(REQUEST)) if (event.type === 'text') texts.push(event.text);
    expect(texts.join('')).toBe('third');
    expect([first, second, third].map(({ calls }) => calls.length)).toEqual([2, 2, 2]);
  });

  it('ask nobody else about a request that is wrong', async () => {
    const second = named('second');
    await expect(fallingBack([named('first', failing(400)), second]).generate(REQUEST)).rejects.toMatchObject({
      reason: 'MODEL_REQUEST_REFUSED',
    });
    expect(second.calls).toHaveLength(0);
  });

  it('say what went wrong with each when all fail', async () => {
    const model = fallingBack([named('first', failing(500)), named('second', failing(503))], 'any');
    await expect(model.generate(REQUEST)).rejects.toThrow(/'any': all .*'first': HTTP 500.*'second': HTTP 503/);
  });
});

describe('routing', () => {
  it('by rule takes the first that suits, else the other', async () => {
    const model = routedByRule(
      'any',
      [
        { rule: { images: true }, model: named('eyes') },
        { rule: { tools: true, maxChars: 20 }, model: named('hands') },
        { rule: { contains: 'prove' }, model: named('mind') },
        { rule: { when: ({ seed }) => seed === 7 }, model: named('seven') },
      ],
      named('small'),
    );
    const ask = async (
      content: Extract<ModelRequest['messages'][number], { role: 'user' }>['content'],
      more = {},
    ): Promise<string> => (await model.generate({ messages: [{ role: 'user', content }], ...more })).text;
    const tools = [{ name: 'look', description: '', parameters: {} }];
    expect(await ask([{ type: 'image', url: 'https://a.example/a.png' }])).toBe('eyes');
    expect(await ask('short', { tools })).toBe('hands');
    expect(await ask('a text that is a good deal longer', { tools })).toBe('small');
    expect(await ask('prove it')).toBe('mind');
    expect(await ask('Hello', { seed: 7 })).toBe('seven');
    expect(await ask('Hello')).toBe('small');
  });

  it('by cost takes the cheapest for the request, which depends on its lengths', async () => {
    const prices = {
      models: { reader: { inputPerMillion: 1, outputPerMillion: 100 }, writer: { inputPerMillion: 10, outputPerMillion: 1 } },
      tools: {},
    };
    const model = routedByCost('any', [named('reader'), named('writer')], prices);
    const [short, long] = [
      { ...REQUEST, maxTokens: 1 },
      { ...REQUEST, maxTokens: 10_000 },
    ];
    expect([(await model.generate(short)).text, (await model.generate(long)).text]).toEqual(['reader', 'writer']);
  });
});

describe('escalation', () => {
  const sure = { text: 'small', tokens: [1, 2], logProbabilities: [-0.01, -0.02] };
  const unsure = { ...sure, logProbabilities: [-1, -3] };

  it('takes the small model’s answer when it is sure, and asks the large one when it is not', async () => {
    const [small, large] = [named('small', [sure, unsure]), named('large')];
    const model = escalating('any', [small, large], { confidence: 0.7 });
    expect((await model.generate(REQUEST)).text).toBe('small');
    expect((await model.generate(REQUEST)).text).toBe('large');
    expect([small.calls.length, large.calls.length]).toEqual([2, 1]);
  });

  it('asks on when an answer fails its verification or was cut off; the last answer stands', async () => {
    const models = [named('a', ['4?']), named('b', [{ text: '4', finish: 'length' }]), named('c', ['5'])] as [
      Model,
      Model,
      Model,
    ];
    const model = escalating('any', models, { verify: ({ text }) => text === '4' });
    expect((await model.generate(REQUEST)).text).toBe('5');
  });

  it('costs what all that were asked cost, and streams the answer that stands', async () => {
    const prices = {
      models: { small: { inputPerMillion: 1, outputPerMillion: 1 }, large: { inputPerMillion: 10, outputPerMillion: 10 } },
      tools: {},
    };
    const usage = { tokensIn: 10, tokensOut: 1 };
    const models = [named('small', [{ text: 'no', usage }]), named('large', [{ text: 'yes', usage }])].map(paid({ prices }));
    const model = escalating('any', models as [Model, Model], { verify: ({ text }) => text === 'yes' });
    const events = [];
    for await (const event of model.stream(REQUEST)) events.push(event);
    expect(events[0]).toEqual({ type: 'text', text: 'yes' });
    expect(events.at(-1)).toMatchObject({ result: { microDollars: 11 + 110, usage: { tokensIn: 20, tokensOut: 2 } } });
  });
});
