import { afterEach, describe, expect, it } from 'vitest';
import { modelConformance } from '../../conformance.ts';
import { startFakeProvider, type FakeProvider } from '../../testing/fake-provider.ts';
import { openAiModel } from './client.ts';

modelConformance('an OpenAI-compatible model', async () => {
  const provider = await startFakeProvider({ apiKey: 'k-1' });
  return {
    model: openAiModel({ model: 'small', url: `${provider.url}/v1`, apiKey: 'k-1' }),
    calls: provider.calls,
    setScript: (script) => provider.setScript(script),
    close: () => provider.close(),
  };
});

describe('an OpenAI-compatible model', () => {
  let provider: FakeProvider | undefined;
  afterEach(async () => {
    await provider?.close();
    provider = undefined;
  });
  const request = { messages: [{ role: 'user' as const, content: 'Go' }] };
  const failed = async (call: Promise<unknown>): Promise<Error> =>
    call.then(
      () => expect.unreachable(),
      (thrown: Error) => thrown,
    );

  it('says in no error what its key is, not even when the provider repeats it', async () => {
    provider = await startFakeProvider({ apiKey: 'right' });
    const model = openAiModel({
      model: 'small',
      url: provider.url,
      apiKey: 'sk-wrong-secret',
      headers: { 'x-more': 'also-secret' },
    });
    const error = await failed(model.generate(request));
    expect(error).toMatchObject({ reason: 'MODEL_UNAUTHENTICATED' });
    expect(error.message).toContain('Incorrect API key: ***');
    expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toMatch(/sk-wrong-secret|also-secret/);
  });

  it('a server that is not there is unreachable, and was not paid', async () => {
    provider = await startFakeProvider();
    const model = openAiModel({ model: 'small', url: provider.url });
    await provider.close();
    provider = undefined;
    const error = await failed(model.generate(request));
    expect(error).toMatchObject({ reason: 'MODEL_UNREACHABLE', retryable: true, maybeBilled: false });
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('ends the call at the provider when a stream is left', async () => {
    provider = await startFakeProvider({ script: [{ text: 'x'.repeat(4000), pieceMs: 5 }] });
    const model = openAiModel({ model: 'small', url: provider.url });
    for await (const event of model.stream(request)) if (event.type === 'text') break;
    await expect.poll(() => provider!.open).toBe(0);
  });

  it('says which field of an answer is wrong', async () => {
    const model = openAiModel({ model: 'small', url: 'http://127.0.0.1:9', headers: {} });
    expect(model.name).toBe('small');
    provider = await startFakeProvider({ script: [{ usage: { tokensIn: -1, tokensOut: 0 } }] });
    const error = await failed(openAiModel({ model: 'small', url: provider.url }).generate(request));
    expect(error).toMatchObject({ reason: 'MODEL_ANSWER_MALFORMED' });
    expect(error.message).toContain('usage.prompt_tokens');
  });

  it.each(['not an address', 'ftp://a.example', 'https://user:secret@a.example/v1'])('refuses the address %s', (url) => {
    expect(() => openAiModel({ model: 'small', url })).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'url' }),
    );
  });
});
