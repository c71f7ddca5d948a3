import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { IN_WORDS } from './issue-words.ts';

const messages = (schema: z.ZodType, value: unknown): string[] =>
  schema.safeParse(value, IN_WORDS).error!.issues.map(({ path, message }) => [...path.map(String), message].join(': '));

describe('schemas of users', () => {
  it('have problems in our words', () => {
    const schema = z.strictObject({
      city: z.string().min(2),
      days: z.int().max(5),
      unit: z.enum(['C', 'F']),
      tags: z.array(z.string()),
    });
    expect(messages(schema, { city: 'x', days: 'two', unit: 'K', tags: [1], more: 1 })).toEqual([
      'city: expected text of at least 2 characters',
      'days: expected a number',
      'unit: expected one of C, F',
      'tags: 0: expected text',
      'expected no key more',
    ]);
    expect(messages(schema, { days: 2.5, unit: 'C', tags: [] })).toEqual([
      'city: is missing: expected text',
      'days: expected an integer',
    ]);
    expect(messages(z.union([z.string(), z.boolean()]), 1)).toEqual(['expected text or true or false']);
    expect(messages(z.record(z.string().regex(/^a/), z.number()), { b: 1 })).toEqual([
      'b: expected another key: text that matches /^a/',
    ]);
    expect(messages(z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') })]), { kind: 'b' })).toEqual([
      'kind: expected another value',
    ]);
    expect(
      messages(
        z.string().refine((text) => text !== 'x'),
        'x',
      ),
    ).toEqual(['not what is allowed here']);
  });

  it('keep the messages that they bring', () => {
    const schema = z.object({
      city: z.string('name a city').min(2, 'name a whole city'),
      day: z.string().refine(() => false, 'no day'),
    });
    expect(messages(schema, { city: 1, day: 'x' })).toEqual(['city: name a city', 'day: no day']);
    expect(messages(schema, { city: 'x', day: 'x' })).toEqual(['city: name a whole city', 'day: no day']);
  });
});
