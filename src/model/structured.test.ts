import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generateObject } from './structured.ts';
import { scriptedModel } from './testing/scripted-model.ts';

const schema = z.object({ animal: z.string(), legs: z.int().min(0) });
const messages = [{ role: 'user' as const, content: 'A cat?' }];

describe('structured output', () => {
  it('is of the schema, which the model is shown', async () => {
    const model = scriptedModel([' ```json\n{"animal": "cat", "legs": 4}\n```\n']);
    const { value, results } = await generateObject(model, { messages, schema, schemaName: 'zoo' });
    expect(value).toEqual({ animal: 'cat', legs: 4 });
    expect(results).toHaveLength(1);
    expect(model.calls[0]!.request.output).toMatchObject({ name: 'zoo', schema: { properties: { legs: { type: 'integer' } } } });
  });

  it('is asked for again, with what was wrong', async () => {
    const model = scriptedModel(['A cat has four legs.', '{"animal": "cat", "legs": -4}', '{"animal": "cat", "legs": 4}']);
    const { value, results } = await generateObject(model, { messages, schema });
    expect(value.legs).toBe(4);
    expect(results).toHaveLength(3);
    const [, second, third] = model.calls.map(({ request }) => request.messages);
    expect(second).toMatchObject([messages[0], { role: 'assistant', content: 'A cat has four legs.' }, { role: 'user' }]);
    expect(second![2]!.content).toContain('it is not JSON');
    expect(third![2]!.content).toContain('legs');
    expect(third).toHaveLength(3);
  });

  it('fails after so many tries', async () => {
    const model = scriptedModel(['no']);
    await expect(generateObject(model, { messages, schema, reasks: 1 })).rejects.toMatchObject({ reason: 'OUTPUT_INVALID' });
    expect(model.calls).toHaveLength(2);
  });
});
