import { describe, expect, it } from 'vitest';
import { modelConformance } from '../../conformance.ts';
import { startFakeProvider } from '../../testing/fake-provider.ts';
import { bedrockModel } from './client.ts';

const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret-of-tests' };

modelConformance(
  'a Bedrock model',
  async () => {
    const provider = await startFakeProvider();
    return {
      model: bedrockModel({ model: 'vendor.model-v1:0', endpoint: provider.url, credentials: CREDENTIALS }),
      calls: provider.calls,
      setScript: (script) => provider.setScript(script),
      close: () => provider.close(),
    };
  },
  { fields: ['seed', 'logProbabilities', 'tokenIds'], tokens: true },
);

describe('a Bedrock model', () => {
  it('signs its requests, and says no credentials in errors', async () => {
    const provider = await startFakeProvider({ script: [{ fault: { status: 403, message: 'not allowed' } }] });
    const model = bedrockModel({ model: 'vendor.model-v1:0', endpoint: provider.url, credentials: CREDENTIALS });
    const error = await model
      .generate({ messages: [{ role: 'user', content: 'Go' }] })
      .catch((thrown: unknown) => thrown as Error);
    expect(provider.calls[0]).toMatchObject({ model: 'vendor.model-v1:0' });
    expect(provider.calls[0]!.headers['authorization']).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//);
    expect(error).toMatchObject({ reason: 'MODEL_UNAUTHENTICATED' });
    expect(JSON.stringify([error, (error as Error).message, (error as Error).cause])).not.toMatch(/AKIDEXAMPLE|secret-of-tests/);
    await provider.close();
  });

  it('refuses addresses of images, which Bedrock does not read', async () => {
    const model = bedrockModel({ model: 'm', endpoint: 'http://127.0.0.1:9', credentials: CREDENTIALS });
    const content = [{ type: 'image' as const, url: 'https://a.example/cat.png' }];
    await expect(model.generate({ messages: [{ role: 'user', content }] })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'messages.content.url',
    });
  });
});
