import { describe, expect, it } from 'vitest';
import { jobJsonSchema } from './json-schema.ts';

describe('jobJsonSchema', () => {
  it('tells editors keys, types, bounds, defaults and meanings', () => {
    const schema = jobJsonSchema() as {
      properties: Record<string, Record<string, unknown>>;
      required: string[];
      additionalProperties: boolean;
    };
    expect(schema.required).toEqual(['name', 'flow']);
    expect(schema.additionalProperties).toBe(false);
    expect(schema.properties['rollout']).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: {
        groupSize: {
          type: 'integer',
          minimum: 1,
          maximum: 1024,
          default: 8,
          description: expect.stringMatching(/^G: /) as string,
        },
      },
    });
  });

  it('describes every field', () => {
    const bare: string[] = [];
    const visit = (node: Record<string, unknown>, path: string): void => {
      const properties = node['properties'] as Record<string, Record<string, unknown>> | undefined;
      // One section of several: each of them.
      const options = node['oneOf'] as Record<string, unknown>[] | undefined;
      if (options !== undefined) {
        for (const option of options) visit(option, path);
        return;
      }
      if (properties === undefined) {
        if (node['description'] === undefined) bare.push(path);
        return;
      }
      for (const [key, child] of Object.entries(properties)) visit(child, path === '' ? key : `${path}.${key}`);
    };
    visit(jobJsonSchema(), '');
    expect(bare).toEqual([]);
  });

  it('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(jobJsonSchema()))).toEqual(jobJsonSchema());
  });
});
