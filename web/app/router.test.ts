import { expect, it } from 'vitest';
import { hrefTo, placeOf } from './router.ts';

it('an address is read as it was written', () => {
  const parts = ['jobs', 'retail-1', 'groups', 'retail-1:30:task/7 ä:0'];
  const sql = "SELECT 'a?b&c=d' -- #1\nFROM steps";
  const read = placeOf(hrefTo(parts, { q: sql, empty: '' }));
  expect([read.parts, [...read.query]]).toEqual([parts, [['q', sql]]]);
});

it('an address that is broken names a place all the same', () => {
  expect(placeOf('').parts).toEqual([]);
  expect(placeOf('#/jobs//%E0%A4%A').parts).toEqual(['jobs', '%E0%A4%A']);
});
