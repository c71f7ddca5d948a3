import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { clusterConfigSchema } from './cluster.ts';
import { jobConfigSchema } from './job.ts';
import { check } from './problems.ts';
import { childOf, keysOf, type Schema } from './schema-walk.ts';

/** Phrases of zod's own messages. */
const RAW =
  /too (small|big)|invalid (input|option|key|string|element|type|email|url|format|discriminator)|expected \w+ to (have|be)|unrecognized|must (be|start|end|include|match)|>=|<=/i;

function message(schema: Schema, value: unknown): string {
  try {
    check(schema as z.ZodType, value, 'file', () => undefined);
  } catch (thrown) {
    return MillraceError.from(thrown).message;
  }
  throw new Error('expected an error');
}

const own = (inner: z.ZodType): z.ZodType => z.object({ it: inner });

describe('what a schema allows', () => {
  it.each<[code: string, schema: z.ZodType, value: unknown, expected: string]>([
    ['too_small', z.array(z.string()).min(2), ['a'], 'file: it: got ["a"], expected a list of at least 2 entries'],
    ['too_big', z.array(z.int()).max(1), [1, 2], 'file: it: got [1,2], expected a list of at most 1 entry'],
    ['too_small', z.array(z.int()).length(2), [1], 'file: it: got [1], expected a list of exactly 2 entries'],
    ['too_small', z.string().min(1), '', 'file: it: got "", expected text of at least 1 character'],
    [
      'too_big',
      z.string().max(3).describe('a name'),
      'long',
      'file: it: got "long", expected text of at most 3 characters (a name)',
    ],
    ['too_big', z.number().lt(3).max(9), 3, 'file: it: got 3, expected a number of at most 3'],
    ['invalid_type', z.array(z.string()), 'a', 'file: it: got "a", expected a list'],
    ['invalid_type', z.null(), 1, 'file: it: got 1, expected nothing (null)'],
    ['invalid_format', z.string().regex(/^a+$/), 'b', 'file: it: got "b", expected text'],
    ['invalid_format', z.url(), 'b', 'file: it: got "b", expected text'],
    ['not_multiple_of', z.int().multipleOf(4), 6, 'file: it: got 6, expected a multiple of 4'],
    ['invalid_value', z.literal(['a', 'b']), 'c', 'file: it: got "c", expected a or b'],
    ['invalid_union', z.union([z.int(), z.array(z.int())]), 'x', 'file: it: got "x", expected an integer or a list'],
    [
      'invalid_key',
      z.record(z.string().regex(/^a/), z.int()),
      { b: 1 },
      'file: it.b: got 1, expected another key: text that matches /^a/',
    ],
    ['invalid_element', z.map(z.any(), z.int()), new Map([[{}, 'x']]), 'file: it: got {}, expected another entry: a number'],
  ])('is said in our words: %s', (code, schema, value, expected) => {
    expect(own(schema).safeParse({ it: value }).error?.issues[0]?.code).toBe(code);
    expect(message(own(schema), { it: value })).toBe(expected);
  });

  it('is said so of every setting, whatever was written there', () => {
    const wrong = fc.constantFrom<unknown>(
      '',
      'x',
      '-',
      'a'.repeat(70_000),
      -1,
      1.5,
      1e300,
      NaN,
      true,
      null,
      [],
      [[]],
      ['x'],
      {},
      { x: 1 },
    );
    for (const schema of [jobConfigSchema, clusterConfigSchema]) {
      const paths = pathsOf(schema);
      expect(paths.length).toBeGreaterThan(20);
      fc.assert(
        fc.property(fc.constantFrom(...paths), wrong, (path, value) => {
          const whole = path.reduceRight((inside: unknown, key) => ({ [key]: inside }), value);
          const result = schema.safeParse(whole);
          if (result.success) return;
          expect(message(schema, whole)).not.toMatch(RAW);
        }),
        { numRuns: 1_500 },
      );
    }
  });
});

/** Paths of all settings, and of one entry of what holds several. */
function pathsOf(schema: Schema, above: readonly string[] = []): string[][] {
  const keys = keysOf(schema) ?? (childOf(schema, '0') ? ['0'] : []);
  if (above.length > 6) return [];
  return keys.flatMap((key) => {
    const path = [...above, key];
    const child = childOf(schema, key);
    return [path, ...(child === undefined ? [] : pathsOf(child, path))];
  });
}
