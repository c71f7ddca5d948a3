import { expect, it } from 'vitest';
import { parsedTypes, structureOf } from './parsed-types.ts';

const printed = [
  ['job', 'LowCardinality(String)', '', ''],
  ['actions', 'Array(LowCardinality(String))', 'DEFAULT', '[]'],
  ['components', 'Map(LowCardinality(String), Float32)', '', ''],
  ['at', "DateTime64(6, 'UTC')", '', ''],
  ['decision', 'LowCardinality(String)', 'DEFAULT', "'choice'"],
  ['round', 'UInt32', 'MATERIALIZED', 'toUInt32(job)'],
]
  .map((row) => `${JSON.stringify(row)}\n`)
  .join('');

it('reads texts where the table has dictionaries, and gives absent values the defaults of the table', () => {
  const types = parsedTypes(printed);
  expect(structureOf(types, ['decision', 'job', 'actions', 'components', 'at', 'vector_base64'])).toBe(
    "decision String DEFAULT 'choice', job String, actions Array(String) DEFAULT [], components Map(String, Float32), " +
      "at DateTime64(6, 'UTC'), vector_base64 String",
  );
});
