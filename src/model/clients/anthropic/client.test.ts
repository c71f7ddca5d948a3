import { describe, expect, it } from 'vitest';
import { modelConformance } from '../../conformance.ts';
import { startFakeProvider } from '../../testing/fake-provider.ts';
import { anthropicModel } from './client.ts';

modelConformance(
  'an Anthropic model',
  async () => {
    const provider = await startFakeProvider({ apiKey: 'k-1' });
    return {
      model: anthropicModel({ model: 'claude', url: `${provider.url}/v1`, apiKey: 'k-1' }),
      calls: provider.calls,
      setScript: (script) => provider.setScript(script),
      close: () => provider.close(),
    };
  },
  { fields: ['seed', 'logProbabilities', 'tokenIds'], tokens: true },
);

describe('an Anthropic model', () => {
  it('shows a call with arguments that were no JSON as the model wrote it', async () => {
    const provider = await startFakeProvider();
    const model = anthropicModel({ model: 'claude', url: provider.url });
    const calls = [{ id: 'c1', tool: 'look', arguments: '{"at": ' }];
    await model.generate({
      messages: [
        { role: 'user', content: 'Look' },
        { role: 'assistant', content: '', calls },
        { role: 'tool', id: 'c1', tool: 'look', content: 'Error: no JSON' },
      ],
    });
    expect(provider.calls[0]!.request.messages[1]).toMatchObject({ calls: [{ arguments: '{"unreadable":"{\\"at\\": "}' }] });
    await provider.close();
  });
});
