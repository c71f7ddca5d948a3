import { expect, it } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

it('a wait is in seconds, or ends at a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterMs('2', now)).toBe(2000);
  expect(retryAfterMs(' 0.5 ', now)).toBe(500);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:10 GMT', now)).toBe(10_000);
});

it('what has passed or cannot be read asks for no wait', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  for (const header of [null, undefined, '', '-5', 'soon', 'Wed, 31 Dec 2025 23:59:50 GMT'])
    expect(retryAfterMs(header, now)).toBe(0);
});
