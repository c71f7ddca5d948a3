import { expect, it } from 'vitest';
import { pretty } from './code.tsx';
import { bytes, dollars, duration, figure, percent, text } from './format.ts';

it('figures have about three digits', () => {
  expect([0, 1, 0.12345, 12.345, 1234.5, 0.00001, undefined, Number.NaN].map((value) => figure(value))).toEqual([
    ...['0', '1', '0.12', '12.3', '1,235', '1.0e-5', '–', '–'],
  ]);
});

it('shares, durations, bytes and money are read by people', () => {
  expect([percent(0), percent(0.031), percent(1), percent(undefined)]).toEqual(['0 %', '3.1 %', '100 %', '–']);
  expect([3.21, 75, 3_700, 200_000, -1].map(duration)).toEqual(['3.2 s', '1 min 15 s', '1 h 1 min', '2 d 7 h', '–']);
  expect([bytes('0'), bytes(1500), bytes('250000000')]).toEqual(['0 B', '1.5 kB', '250 MB']);
  expect([dollars(0), dollars('1234567'), dollars(120)]).toEqual(['$0.00', '$1.23', '$0.0001']);
});

it('values of rows are texts', () => {
  expect([text(null), text('<b>'), text(0.123456), text(12), text(['a', 1])]).toEqual(['', '<b>', '0.123', '12', '["a",1]']);
});

it('long JSON gets lines, other texts stay as they are', () => {
  expect(pretty('{"a":1}')).toBe('{"a":1}');
  expect(pretty(JSON.stringify({ a: 'x'.repeat(90) }))).toContain('\n  "a"');
  expect(pretty('[not json')).toBe('[not json');
});
