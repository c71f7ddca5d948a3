import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelError } from './model-error.ts';
import type { Model, ModelEvent, ModelRequest, ModelResult } from './model.ts';
import type { Script, ScriptedCall, ScriptedReply } from './testing/script.ts';

/** A model to test. */
export interface ModelHarness {
  model: Model;
  /** Answers the calls from now on. */
  setScript(script: Script): void;
  /** What arrived at the provider so far. */
  readonly calls: readonly ScriptedCall[];
  close(): Promise<void>;
}

/** What a kind of provider cannot do, so that the suite does not ask for it. */
export interface ModelLacks {
  /** Fields of requests that do not reach the provider. */
  fields?: readonly (keyof ModelRequest)[];
  /** Token ids and log-probabilities. */
  tokens?: boolean;
}

const HELLO: ModelRequest = { messages: [{ role: 'user', content: 'Hello' }] };

/** A request with all that one can say. */
const FULL: ModelRequest = {
  messages: [
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image', url: 'data:image/png;base64,iVBORw0KGgo=' },
      ],
    },
    {
      role: 'assistant',
      content: 'I look.',
      calls: [
        { id: 'a1', tool: 'look', arguments: '{"at":"it"}' },
        { id: 'a2', tool: 'look', arguments: '{"at":"that"}' },
      ],
    },
    { role: 'tool', id: 'a1', tool: 'look', content: 'a cat' },
    { role: 'tool', id: 'a2', tool: 'look', content: 'a dog' },
    { role: 'assistant', content: 'A cat and a dog.' },
    { role: 'user', content: 'And now?' },
  ],
  tools: [
    {
      name: 'look',
      description: 'Looks at something.',
      parameters: { type: 'object', properties: { at: { type: 'string' } }, required: ['at'] },
    },
  ],
  toolChoice: { tool: 'look' },
  output: { name: 'answer', schema: { type: 'object', properties: { animal: { type: 'string' } } } },
  temperature: 0.5,
  topP: 0.9,
  maxTokens: 100,
  stop: ['END'],
  seed: 7,
  logProbabilities: true,
  tokenIds: true,
};

/** What every Model must do. Call it inside a test file; one harness is made for each test. */
export function modelConformance(name: string, open: () => Promise<ModelHarness>, lacks: ModelLacks = {}): void {
  describe(`${name} is a Model`, () => {
    let harness: ModelHarness;
    let model: Model;
    beforeEach(async () => {
      harness = await open();
      model = harness.model;
    });
    afterEach(() => harness.close());
    const reply = (...replies: (ScriptedReply | string)[]): void => harness.setScript(replies);

    it('answers with a text, in one piece and in pieces', async () => {
      const text = 'Grüße, and a long enough text 🙂 for several pieces';
      reply({ text, usage: { tokensIn: 11, tokensOut: 7, cachedTokensIn: 3 } });
      const whole = await model.generate(HELLO);
      expect(whole).toMatchObject({ text, calls: [], finish: 'stop' });
      expect(whole.usage).toEqual({ tokensIn: 11, tokensOut: 7, cachedTokensIn: 3 });
      expect(whole.latencyMs).toBeGreaterThanOrEqual(0);
      const { events, result } = await all(model, HELLO);
      expect(events.length).toBeGreaterThan(2);
      expect(textOf(events)).toBe(text);
      expect(untimed(result)).toEqual(untimed(whole));
      expect(result.firstEventMs).toBeLessThanOrEqual(result.latencyMs);
    });

    it('answers with calls, several at once', async () => {
      const calls = [
        { id: 'x1', tool: 'find', arguments: { name: 'a rather long name' } },
        { id: 'x2', tool: 'list', arguments: {} },
      ];
      reply({ text: 'I look.', calls });
      const expected = calls.map((call) => ({ ...call, arguments: JSON.stringify(call.arguments) }));
      const whole = await model.generate({ ...HELLO, tools: FULL.tools! });
      expect(whole).toMatchObject({ text: 'I look.', calls: expected, finish: 'tool_calls' });
      const { events, result } = await all(model, HELLO);
      expect(result.calls).toEqual(expected);
      expect(callsIn(events)).toEqual(expected);
    });

    it('says why an answer ended', async () => {
      for (const finish of ['stop', 'length', 'filtered'] as const) {
        reply({ text: 'So', finish });
        expect((await model.generate(HELLO)).finish).toBe(finish);
        expect((await all(model, HELLO)).result.finish).toBe(finish);
      }
    });

    it('passes on all of a request', async () => {
      await model.generate(FULL);
      await all(model, FULL);
      const missing = new Set<string>(lacks.fields);
      const expected = Object.fromEntries(Object.entries(FULL).filter(([field]) => !missing.has(field)));
      for (const call of harness.calls) {
        const seen = Object.fromEntries(Object.entries(call.request).filter(([field]) => !missing.has(field)));
        expect(seen).toEqual(expected);
      }
      expect(harness.calls).toHaveLength(2);
    });

    it('leaves out what was not asked for', async () => {
      await model.generate(HELLO);
      expect(harness.calls[0]!.request.messages).toEqual(HELLO.messages);
      expect(harness.calls[0]!.request).not.toHaveProperty('tools');
      expect(harness.calls[0]!.request).not.toHaveProperty('temperature');
    });

    it.skipIf(lacks.tokens)('gives token ids and log-probabilities where they are asked for', async () => {
      const tokens = { promptTokens: [5, 6, 7], tokens: [8, 9], logProbabilities: [-0.5, -0.25] };
      reply({ text: 'So', ...tokens });
      const asked = { ...HELLO, tokenIds: true, logProbabilities: true };
      expect(await model.generate(asked)).toMatchObject(tokens);
      expect((await all(model, asked)).result).toMatchObject(tokens);
      const plain = await model.generate(HELLO);
      for (const field of Object.keys(tokens)) expect(plain).not.toHaveProperty(field);
    });

    it.each([
      [400, 'MODEL_REQUEST_REFUSED', false],
      [401, 'MODEL_UNAUTHENTICATED', false],
      [404, 'MODEL_NOT_FOUND', false],
      [429, 'MODEL_RATE_LIMITED', true],
      [500, 'MODEL_FAILED', true],
      [503, 'MODEL_OVERLOADED', true],
    ] as const)('HTTP %i is %s', async (status, reason, retryable) => {
      reply({ fault: { status, message: 'the reason given' } });
      for (const failed of [model.generate(HELLO), all(model, HELLO)]) {
        const error = await failure(failed);
        expect(error).toMatchObject({ reason, retryable, status, maybeBilled: false, retryAfterMs: 0 });
        expect(error.message).toContain('the reason given');
      }
    });

    it('says how long a provider wants it to wait', async () => {
      reply({ fault: { status: 429, retryAfter: '7' } });
      expect(await failure(model.generate(HELLO))).toMatchObject({ retryAfterMs: 7000 });
    });

    it('an answer that cannot be read, or that broke off, is a failure that can be tried again', async () => {
      for (const fault of ['malformed', 'closed', { cutAfter: 1 }] as const) {
        reply({ text: 'This is long enough for several pieces.', fault });
        const expected = { retryable: true, maybeBilled: true };
        expect(await failure(model.generate(HELLO))).toMatchObject(expected);
        expect(await failure(all(model, HELLO))).toMatchObject(expected);
      }
    });

    it('a stream that breaks off has no end, however much of it came', async () => {
      for (const cutAfter of [0, 2, 1000]) {
        reply({ text: 'This is long enough for several pieces.', fault: { cutAfter } });
        const seen: ModelEvent[] = [];
        const error = await failure(all(model, HELLO, seen));
        expect(error).toMatchObject({ reason: 'MODEL_STREAM_CUT', maybeBilled: true });
        expect(seen.filter(({ type }) => type === 'end')).toEqual([]);
        expect(seen.length).toBeLessThanOrEqual(cutAfter);
      }
    });

    it('a call that is stopped rejects with cancelled', async () => {
      expect(await stopped((signal) => model.generate(HELLO, { signal }), 'hang')).toMatchObject({ code: 'cancelled' });
      expect(await stopped((signal) => all(model, HELLO, [], signal), 'hang')).toMatchObject({ code: 'cancelled' });
      const before = harness.calls.length;
      const error = await model.generate(HELLO, { signal: AbortSignal.abort() }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'cancelled' });
      expect(harness.calls).toHaveLength(before);
    });

    it('a stream can be left, and stopped in its middle', async () => {
      reply({ text: 'This is long enough for several pieces.', pieceMs: 1 });
      for await (const event of model.stream(HELLO)) if (event.type === 'text') break;
      const stop = new AbortController();
      const error = await (async () => {
        for await (const event of model.stream(HELLO, { signal: stop.signal })) if (event.type === 'text') stop.abort();
      })().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'cancelled' });
    });

    it('sends nothing before a stream is read', async () => {
      const stream = model.stream(HELLO);
      expect(harness.calls).toHaveLength(0);
      for await (const _ of stream);
      expect(harness.calls).toHaveLength(1);
    });

    it('calls at the same time have their own answers', async () => {
      harness.setScript(({ text }) => `You said ${text}`);
      const said = Array.from({ length: 20 }, (_, i) => `number ${i}`);
      const answers = await Promise.all(said.map((content) => model.generate({ messages: [{ role: 'user', content }] })));
      expect(answers.map(({ text }) => text)).toEqual(said.map((content) => `You said ${content}`));
    });

    async function stopped(call: (signal: AbortSignal) => Promise<unknown>, fault: 'hang'): Promise<unknown> {
      const stop = new AbortController();
      harness.setScript(() => {
        setImmediate(() => stop.abort());
        return { fault };
      });
      return call(stop.signal).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    }
  });
}

async function all(
  model: Model,
  request: ModelRequest,
  events: ModelEvent[] = [],
  signal?: AbortSignal,
): Promise<{ events: ModelEvent[]; result: ModelResult }> {
  for await (const event of model.stream(request, { signal })) events.push(event);
  const last = events.at(-1);
  expect(last?.type).toBe('end');
  return { events, result: (last as Extract<ModelEvent, { type: 'end' }>).result };
}

async function failure(call: Promise<unknown>): Promise<ModelError> {
  const thrown: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(ModelError);
  return thrown as ModelError;
}

function textOf(events: readonly ModelEvent[]): string {
  return events.map((event) => (event.type === 'text' ? event.text : '')).join('');
}

function callsIn(events: readonly ModelEvent[]): unknown[] {
  const calls: { id: string; tool: string; arguments: string }[] = [];
  for (const event of events) {
    if (event.type !== 'call') continue;
    const { index, id = '', tool = '', arguments: args } = event;
    const known = (calls[index] ??= { id, tool, arguments: '' });
    known.arguments += args;
  }
  return calls;
}

/** Without what the clock says. */
function untimed({ latencyMs: _, firstEventMs: __, ...result }: ModelResult): Partial<ModelResult> {
  return result;
}
