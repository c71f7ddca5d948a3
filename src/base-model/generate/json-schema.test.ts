import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seededRandom } from '../../random/seeded.ts';
import type { BaseModel } from '../base-model.ts';
import { openBaseModel } from '../open.ts';
import { masksOf, tokensAt } from './constraint.ts';
import { jsonOf } from './json-schema.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const STOP = 0;

const ORDER = z.strictObject({
  tool: z.enum(['lookup', 'refund "now"']),
  id: z.string().min(1).max(6),
  count: z.int().min(1),
  price: z.number(),
  note: z.union([z.string().max(4), z.null()]).optional(),
  tags: z
    .array(z.strictObject({ gift: z.boolean().optional(), kind: z.literal('ä') }))
    .min(1)
    .max(3),
  codes: z.array(z.int()).max(2).optional(),
});

describe.each(['llama-tied', 'llama3-scaled', 'qwen2', 'llama-untied'])('JSON of a schema, with the tokens of %s', (name) => {
  let model: BaseModel;
  beforeAll(async () => {
    model = await openBaseModel(FIXTURES + name);
  });
  afterAll(() => model.close());

  it('is all that can be written, and can be written', () => {
    const schema = z.toJSONSchema(ORDER);
    const constraint = jsonOf(schema, model.tokenizer);
    const random = seededRandom(7);
    const seen = new Set<string>();
    for (let round = 0; round < 40; round++) {
      let state = constraint.start;
      const tokens: number[] = [];
      while (state.allowed.length > 0 && tokens.length < 2000) {
        const allowed = tokensAt(state, [STOP]);
        tokens.push(allowed[random.integer(allowed.length)]!);
        state = state.next(tokens.at(-1)!);
      }
      expect(state.mayEnd).toBe(true);
      const pieces = model.tokenizer.pieces();
      const text = Buffer.concat(tokens.map((token) => pieces.get(token)!)).toString();
      const value = ORDER.parse(JSON.parse(text));
      for (const field of Object.keys(value)) seen.add(field);
      if (round === 0) expect(masksOf(constraint, tokens, [STOP])).toHaveLength(tokens.length);
    }
    expect([...seen].sort()).toEqual(Object.keys(ORDER.shape).sort());
  });

  it('takes what the tokenizer makes of such JSON, tightly or with spaces', () => {
    const constraint = jsonOf(z.toJSONSchema(ORDER), model.tokenizer);
    for (const text of [
      '{"tool":"lookup","id":"Zoë","count":12,"price":-0.5e3,"tags":[{"kind":"ä"}]}',
      '{"tool": "refund \\"now\\"", "id": "a\\n", "count": 1, "price": 3, "note": null, "tags": [{"gift": true, "kind": "ä"}, {"kind": "ä"}]}',
    ]) {
      let state = constraint.start;
      for (const token of spell(text, model)) {
        expect(state.allowed).toContain(token);
        state = state.next(token);
      }
      expect(state).toMatchObject({ mayEnd: true });
      expect(state.allowed).toHaveLength(0);
    }
  });
});

/** A text in the longest tokens that there are, from its start on. */
function spell(text: string, model: BaseModel): number[] {
  const pieces = [...model.tokenizer.pieces()].sort(([, a], [, b]) => b.length - a.length);
  let rest = Buffer.from(text);
  const tokens: number[] = [];
  while (rest.length > 0) {
    const [id, bytes] = pieces.find(
      ([, bytes]) => bytes.length > 0 && Buffer.compare(rest.subarray(0, bytes.length), bytes) === 0,
    )!;
    tokens.push(id);
    rest = rest.subarray(bytes.length);
  }
  return tokens;
}

describe('a schema', () => {
  let model: BaseModel;
  beforeAll(async () => {
    model = await openBaseModel(`${FIXTURES}llama-tied`);
  });
  afterAll(() => model.close());

  it.each([
    ['schema', true],
    ['schema.type', {}],
    ['schema.type', { type: 'date' }],
    ['schema.pattern', { type: 'string', pattern: 'a+' }],
    ['schema.format', { type: 'string', format: 'email' }],
    ['schema.minimum', { type: 'integer', minimum: 5 }],
    ['schema.maximum', { type: 'integer', maximum: 5 }],
    ['schema.minLength', { type: 'string', minLength: -1 }],
    ['schema.minLength', { type: 'string', minLength: 3, maxLength: 2 }],
    ['schema.enum', { enum: [] }],
    ['schema.additionalProperties', { type: 'object', additionalProperties: { type: 'string' } }],
    ['schema.required', { type: 'object', properties: {}, required: ['a'] }],
    ['schema.$ref', { $ref: '#/a' }],
    [
      'schema.properties.a.items.multipleOf',
      { type: 'object', properties: { a: { type: 'array', items: { type: 'number', multipleOf: 2 } } } },
    ],
    ['schema', { type: 'array' }],
    ['schema', { type: 'string', maxLength: 1e6 }],
  ])('names what is not supported: %s of %j', (field, schema) => {
    expect(() => jsonOf(schema, model.tokenizer)).toThrow(expect.objectContaining({ code: 'invalid_argument', field }));
  });
});
