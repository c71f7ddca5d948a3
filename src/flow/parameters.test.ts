import { expect, it } from 'vitest';
import { z } from 'zod';
import { parametersOf } from './parameters.ts';

it('are the JSON schema of what is written, before it is transformed', () => {
  const schema = z.object({
    id: z.string().regex(/^#/),
    many: z.int().max(9).default(1),
    when: z.string().transform(Date.parse),
  });
  expect(parametersOf(schema)).toEqual({
    type: 'object',
    properties: {
      id: { type: 'string', pattern: '^#' },
      many: { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: 9, default: 1 },
      when: { type: 'string' },
    },
    required: ['id', 'when'],
  });
});

it('leave out what JSON schema has no word for, and what is no schema of ours', () => {
  expect(parametersOf(z.object({ at: z.date() }))).toMatchObject({ properties: { at: {} } });
  expect(parametersOf({ safeParse: () => ({ success: true }) } as never)).toEqual({});
});
