import OpenAI, { APIError, APIUserAbortError, AuthenticationError, BadRequestError, NotFoundError, RateLimitError } from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../testing-gateway.ts';

/* The gateway as the `openai` package sees it: only address and key are Millrace's. */

let gateway: TestGateway;
let openai: OpenAI;
beforeAll(async () => {
  gateway = await startTestGateway();
  openai = client(await gateway.key());
});
afterAll(() => gateway?.close());
afterEach(() => gateway.bus.purge('CALLS', 'call.>'));

const client = (apiKey: string): OpenAI => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
const user = (content: string) => ({ role: 'user', content }) as const;
const ask = (content = 'hello') => ({ model: 'small', messages: [user(content)] });
const tool = (name: string) => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
  return { type: 'function', function: { name, description: name, parameters } } as const;
};
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'it succeeded',
    (thrown: unknown) => thrown,
  );

describe('the openai package', () => {
  it('lists models, and calls them by the ids that it was given', async () => {
    const ids: string[] = [];
    for await (const { id } of openai.models.list()) ids.push(id);
    expect(ids).toEqual(['lab/scripted']);
    gateway.provider.setScript(['hello']);
    const { choices, model } = await openai.chat.completions.create({ ...ask(), model: ids[0]! });
    expect([choices[0]?.message.content, model]).toEqual(['hello', 'scripted']);
  });

  it('streams', async () => {
    gateway.provider.setScript([{ text: 'a text of several pieces' }]);
    let text = '';
    const finishes: string[] = [];
    for await (const { choices } of await openai.chat.completions.create({ ...ask(), stream: true })) {
      text += choices[0]!.delta.content ?? '';
      if (choices[0]!.finish_reason) finishes.push(choices[0]!.finish_reason);
    }
    expect([text, finishes]).toEqual(['a text of several pieces', ['stop']]);
  });

  it.each([true, false])('calls several tools at once and answers them (stream: %s)', async (stream) => {
    const calls = ['Rome', 'Oslo'].map((city, i) => ({ id: `call_${i}`, tool: 'weather', arguments: { city } }));
    gateway.provider.setScript([{ calls }, 'warm and cold']);
    const asked = { ...ask('the weather?'), tools: [tool('weather')], parallel_tool_calls: undefined };
    const first = stream
      ? await openai.chat.completions.stream(asked).finalChatCompletion()
      : await openai.chat.completions.create(asked);
    const { message, finish_reason } = first.choices[0]!;
    const made = message.tool_calls!.map(
      (call) => (call.type === 'function' ? JSON.parse(call.function.arguments) : undefined) as unknown,
    );
    expect([made, finish_reason]).toEqual([[{ city: 'Rome' }, { city: 'Oslo' }], 'tool_calls']);
    const { content, role, tool_calls = [] } = message;
    const results = tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: '20' }) as const);
    const again = { ...asked, messages: [...asked.messages, { content, role, tool_calls }, ...results] };
    const second = await openai.chat.completions.create(again);
    expect(second.choices[0]!.message.content).toBe('warm and cold');
    const [one, two] = await gateway.ended(2);
    expect([two!.continues, two!.shared_messages]).toEqual([one!.call_id, 1]);
  });

  it('asks for JSON of a schema, and passes images on', async () => {
    gateway.provider.setScript(['{"colour":"red"}']);
    const schema = { type: 'object', properties: { colour: { type: 'string' } } };
    const url = 'data:image/png;base64,iVBORw0KGgo=';
    const { choices } = await openai.chat.completions.create({
      model: 'small',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'which colour?' },
            { type: 'image_url', image_url: { url } },
          ],
        },
      ],
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
    });
    expect(JSON.parse(choices[0]!.message.content!)).toEqual({ colour: 'red' });
    const { request } = gateway.provider.calls.at(-1)!;
    expect(request).toMatchObject({ output: { name: 'answer', schema } });
    expect(JSON.stringify(request.messages)).toContain(url);
  });

  it('gets errors of the classes that it has for them', async () => {
    gateway.provider.setScript([{ fault: { status: 429, message: 'slow down' } }]);
    const limited = await failure(openai.chat.completions.create(ask()));
    expect(limited).toBeInstanceOf(RateLimitError);
    expect((limited as APIError).message).toContain('slow down');
    expect(await failure(client('mrs-wrong').chat.completions.create(ask()))).toBeInstanceOf(AuthenticationError);
    const refused = await failure(openai.chat.completions.create({ model: 'small', messages: [] }));
    expect(refused).toBeInstanceOf(BadRequestError);
    expect(refused).toMatchObject({ param: 'messages', type: 'invalid_request_error' });
    expect(await failure(openai.chat.completions.create({ ...ask(), model: 'lab/' }))).toBeInstanceOf(NotFoundError);
  });

  it('gets an error where a stream breaks off, and not a short answer', async () => {
    gateway.provider.setScript([{ text: 'a text of several pieces', fault: { cutAfter: 2 } }]);
    const read = async (): Promise<void> => {
      for await (const _ of await openai.chat.completions.create({ ...ask(), stream: true }));
    };
    expect(await failure(read())).toBeInstanceOf(APIError);
    expect((await gateway.ended(1))[0]).toMatchObject({ status: 'cut' });
  });

  it('stops a stream: the provider is stopped, too', async () => {
    gateway.provider.setScript([{ text: 'x'.repeat(800), pieceMs: 30 }]);
    const stream = await openai.chat.completions.create({ ...ask(), stream: true });
    for await (const _ of stream) break;
    expect((await gateway.ended(1))[0]).toMatchObject({ status: 'cut' });
    await expect.poll(() => gateway.provider.open).toBe(0);
    gateway.provider.setScript([{ fault: 'hang' }]);
    const stop = new AbortController();
    const left = failure(openai.chat.completions.create(ask(), { signal: stop.signal }));
    await expect.poll(() => gateway.provider.open).toBe(1);
    stop.abort();
    expect(await left).toBeInstanceOf(APIUserAbortError);
    expect((await gateway.ended(2)).map(({ status }) => status)).toEqual(['cut', 'cut']);
  });

  it('tries again by itself, and each try is a call', async () => {
    gateway.provider.setScript([{ fault: { status: 500 } }, 'at last']);
    const patient = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: await gateway.key(), maxRetries: 2 });
    const { choices } = await patient.chat.completions.create(ask());
    expect(choices[0]!.message.content).toBe('at last');
    expect((await gateway.ended(2)).map(({ status }) => status)).toEqual(['failed', 'completed']);
  });

  it('has a thousand streams at the same time, each with its own answer', { timeout: 120_000 }, async () => {
    let open = (): void => {};
    const all = new Promise<void>((resolve) => (open = resolve));
    gateway.provider.setScript(async ({ text }) => {
      await all;
      return { text: `the answer to ${text}`, pieceMs: 20 };
    });
    const read = async (n: number): Promise<string> => {
      let text = '';
      for await (const { choices } of await openai.chat.completions.create({ ...ask(String(n)), stream: true }))
        text += choices[0]?.delta.content ?? '';
      return text;
    };
    const answers: Promise<string>[] = [];
    // Some at a time: connections that wait for long to be taken are given up.
    while (answers.length < 1000) {
      for (let some = 0; some < 50; some += 1) answers.push(read(answers.length));
      await expect.poll(() => gateway.provider.open, { timeout: 60_000 }).toBe(answers.length);
    }
    open();
    expect(await Promise.all(answers)).toEqual(answers.map((_, n) => `the answer to ${n}`));
    const rows = await gateway.ended(1000);
    expect(rows.filter(({ status }) => status === 'completed')).toHaveLength(1000);
  });
});
