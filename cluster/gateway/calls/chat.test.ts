import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../../../src/bus/bus.ts';
import { MillraceError } from '../../../src/errors.ts';
import { PROVIDER_KEY, startTestGateway, type TestGateway } from '../testing-gateway.ts';

let gateway: TestGateway;
let key: string;
/** What happens before each publish of the gateway. */
let before = (_subject: string): void | Promise<void> => {};
const wrap = (bus: Bus): Bus =>
  Object.create(bus, {
    publish: {
      value: async (...[subject, data, options]: Parameters<Bus['publish']>) => {
        await before(subject);
        return bus.publish(subject, data, options);
      },
    },
  }) as Bus;
beforeAll(async () => void (gateway = await startTestGateway({ wrap })));
afterAll(() => gateway?.close());
afterEach(async () => {
  before = () => {};
  await gateway.bus.purge('CALLS', 'call.>');
});

const user = (content: unknown) => ({ role: 'user', content });
const ask = (more: object = {}) => ({ model: 'small', messages: [user('hello')], ...more });
async function call(body: unknown): Promise<{ status: number; text: string; json: Record<string, unknown> }> {
  key ??= await gateway.key();
  const response = await gateway.call(key, body);
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json';
  return { status: response.status, text, json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {} };
}
const eventsOf = (text: string): string[] => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data!);

describe('a call through the gateway', () => {
  it('is answered as the provider answers, and is a row with all that is known of it', async () => {
    gateway.provider.setScript([{ text: 'good day', usage: { tokensIn: 11, tokensOut: 2, cachedTokensIn: 4 } }]);
    const { status, json } = await call(ask({ temperature: 0.5 }));
    expect([status, json['choices']]).toMatchObject([200, [{ message: { content: 'good day' }, finish_reason: 'stop' }]]);
    expect(gateway.provider.calls.at(-1)).toMatchObject({ model: 'small', request: { temperature: 0.5 } });
    const [row] = await gateway.ended(1);
    expect(row).toMatchObject({
      ...{ job: 'agent', task_id: 't1', status: 'completed', capture: 'text', upstream: 'lab', model: 'small', http_status: 200 },
      ...{ tokens_in: 11, tokens_out: 2, tokens_cached: 4, finish_reason: 'stop', streamed: false, use: 'main' },
      request: JSON.stringify({ model: 'small', messages: [user('hello')], temperature: 0.5 }),
    });
    expect(JSON.parse(row!.response)).toEqual(json);
    expect(row!.trajectory_id).toMatch(/^agent:0:session-[0-9a-f]{32}:1:0$/);
  });

  it('streams as the events come, and is the same row as one in one piece', async () => {
    gateway.provider.setScript([{ text: 'a text of some pieces', calls: [{ tool: 'look', arguments: { at: 'x' } }] }]);
    const { text } = await call(ask({ stream: true }));
    const events = eventsOf(text);
    expect(events.at(-1)).toBe('[DONE]');
    // The client has not asked for the usage.
    expect(text).not.toContain('"usage"');
    const [row] = await gateway.ended(1);
    expect(row).toMatchObject({ status: 'completed', streamed: true, finish_reason: 'tool_calls' });
    expect(row!.tokens_in).toBeGreaterThan(0);
    expect(JSON.parse(row!.response)).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          message: {
            ...{ role: 'assistant', content: 'a text of some pieces' },
            tool_calls: [{ id: 'call_0', type: 'function', function: { name: 'look', arguments: '{"at":"x"}' } }],
          },
        },
      ],
    });
  });

  it('gives the usage to a client that asks for it', async () => {
    gateway.provider.setScript(['yes']);
    const { text } = await call(ask({ stream: true, stream_options: { include_usage: true } }));
    expect(text).toContain('"usage"');
  });

  it('keeps ids and log-probabilities of tokens where the provider gives them, and says so', async () => {
    const tokens = { promptTokens: [1, 2, 3], tokens: [7, 8], logProbabilities: [-0.5, -0.25] };
    gateway.provider.setScript([{ text: 'ok', ...tokens }]);
    const extra = { logprobs: true, return_token_ids: true };
    await call(ask(extra));
    await call(ask({ ...extra, stream: true }));
    await call(ask({ logprobs: true }));
    const rows = await gateway.ended(3);
    expect(rows.map(({ capture }) => capture)).toEqual(['tokens', 'tokens', 'logprobs']);
    for (const row of rows.slice(0, 2))
      expect(row).toMatchObject({ prompt_tokens: [1, 2, 3], tokens: [7, 8], token_log_probabilities: [-0.5, -0.25] });
    expect(rows[2]).toMatchObject({ tokens: [], token_log_probabilities: [-0.5, -0.25] });
  });

  it('stores the messages of a conversation once', async () => {
    gateway.provider.setScript(['one', 'two']);
    const first = [user('a'), { role: 'assistant', content: 'one' }];
    await call(ask({ messages: first.slice(0, 1) }));
    await call(ask({ messages: [...first, user('b')] }));
    const [one, two] = await gateway.ended(2);
    expect(two).toMatchObject({ continues: one!.call_id, shared_messages: 1 });
    expect(JSON.parse(two!.request)).toMatchObject({ messages: [first[1], user('b')] });
  });

  it('keeps bodies over 256 KiB, images say, as artifacts and passes them on whole', async () => {
    const url = `data:image/png;base64,${'A'.repeat(300_000)}`;
    gateway.provider.setScript([{ text: 'x'.repeat(300_000) }]);
    await call(ask({ messages: [user([{ type: 'image_url', image_url: { url } }])] }));
    const [row] = await gateway.ended(1);
    expect([row!.request, row!.response]).toEqual(['', '']);
    for (const digest of [row!.request_artifact, row!.response_artifact]) expect(await gateway.bodies.has(digest)).toBe(true);
    expect(JSON.stringify(gateway.provider.calls.at(-1)!.request.messages)).toContain(url);
  });
});

describe('the journal', () => {
  it('has a call before it goes upstream: where it takes none, nothing is sent', async () => {
    before = () => Promise.reject(new MillraceError('resource_exhausted', 'the stream is full'));
    const sent = gateway.provider.calls.length;
    const { status, json } = await call(ask());
    expect([status, json]).toMatchObject([429, { error: { type: 'rate_limit_error' } }]);
    expect(gateway.provider.calls).toHaveLength(sent);
  });

  it.each([true, false])('has the whole answer before its end reaches the client (stream: %s)', async (stream) => {
    gateway.provider.setScript([{ text: 'a text of some pieces' }]);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    let waiting = (): void => {};
    const reached = new Promise<void>((resolve) => (waiting = resolve));
    before = (subject) => {
      if (!subject.endsWith('.ended')) return undefined;
      waiting();
      return held;
    };
    let text = '';
    key ??= await gateway.key();
    const done = gateway.call(key, ask({ stream })).then(async (response) => {
      for await (const chunk of response.body!) text += Buffer.from(chunk as Uint8Array).toString();
    });
    await reached;
    expect(text).not.toContain('finish_reason":"stop');
    expect(text).not.toContain('[DONE]');
    expect((await gateway.calls()).map(({ status }) => status)).toEqual(['started']);
    release();
    await done;
    expect(text).toContain('finish_reason":"stop');
  });
});

describe('what goes wrong', () => {
  it.each<[string, unknown, string]>([
    ['no model', { messages: [user('x')] }, 'model'],
    ['no messages', { model: 'small', messages: [] }, 'messages'],
    ['no object', [1], 'body'],
    ['a stream that is no boolean', ask({ stream: 'yes' }), 'stream'],
    ['no count of choices', ask({ n: 0 }), 'n'],
  ])('with the request (%s) is said with its field, and is no call', async (_, body, param) => {
    const { status, json } = await call(body);
    expect([status, json]).toMatchObject([400, { error: { type: 'invalid_request_error', param } }]);
    expect(await gateway.calls()).toEqual([]);
  });

  it('with the provider is said in its own words where the client can mend it', async () => {
    gateway.provider.setScript([{ fault: { status: 429, retryAfter: '7', message: `slow down, ${PROVIDER_KEY}` } }]);
    key ??= await gateway.key();
    const response = await gateway.call(key, ask());
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '7']);
    expect(await response.text()).toContain('slow down, ***');
    const [row] = await gateway.ended(1);
    expect(row).toMatchObject({ status: 'failed', http_status: 429, error: 'slow down, ***' });
  });

  it.each([
    ['refuses the key of the gateway', { status: 401 }],
    ['answers what cannot be read', 'malformed'],
    ['closes the connection', 'closed'],
  ] as const)('with a provider that %s is an error that may be tried again', async (_, fault) => {
    gateway.provider.setScript([{ text: 'never', fault }]);
    const { status, json } = await call(ask());
    expect([status, json]).toMatchObject([503, { error: { type: 'server_error', retryable: true } }]);
    expect((await gateway.ended(1))[0]).toMatchObject({ status: 'failed' });
  });

  it.each([{ cutAfter: 2 }, 'malformed'] as const)(
    'in the middle of a stream (%s) reaches the client, and the row is cut',
    async (fault) => {
      gateway.provider.setScript([{ text: 'a text of some pieces', fault }]);
      const text = await gateway.call((key ??= await gateway.key()), ask({ stream: true })).then(async (response) => {
        let read = '';
        try {
          for await (const chunk of response.body!) read += Buffer.from(chunk as Uint8Array).toString();
        } catch {
          // Cut off, after the event that says why.
        }
        return read;
      });
      expect(text).not.toContain('[DONE]');
      expect(eventsOf(text).at(-1)).toContain('"error"');
      const [row] = await gateway.ended(1);
      expect(row).toMatchObject({ status: 'cut', finish_reason: '' });
      expect(row!.response).toContain('a text');
    },
  );

  it.each([true, false])('with the client, which leaves, stops the provider, and the row is cut (stream: %s)', async (stream) => {
    gateway.provider.setScript([stream ? { text: 'x'.repeat(400), pieceMs: 50 } : { fault: 'hang' }]);
    const stop = new AbortController();
    const left = gateway
      .call((key ??= await gateway.key()), ask({ stream }), { signal: stop.signal })
      .then(async (response) => {
        for await (const _ of response.body!) stop.abort();
      })
      .catch((thrown: unknown) => (thrown as Error).name);
    if (!stream) {
      await expect.poll(() => gateway.provider.open).toBe(1);
      stop.abort();
    }
    expect(await left).toBe('AbortError');
    expect((await gateway.ended(1))[0]).toMatchObject({ status: 'cut' });
    await expect.poll(() => gateway.provider.open).toBe(0);
  });

  it('leaves the key of the provider nowhere', async () => {
    gateway.provider.setScript([{ fault: { status: 400, message: PROVIDER_KEY } }]);
    const { text } = await call(ask());
    expect(text).not.toContain(PROVIDER_KEY);
    expect(JSON.stringify(await gateway.calls())).not.toContain(PROVIDER_KEY);
  });
});
