import { expect, it } from 'vitest';
import { sustainedRate, type Point } from './curve.ts';

/** What a writer with batches of `size` has done every 10 ms, at one a millisecond, and when it is full only. */
function stairs(total: number, size: number, tailMs = 0): Point[] {
  const points: Point[] = [];
  for (let ms = 0; ms <= total + tailMs; ms += 10) {
    const done = ms >= total + tailMs ? total : Math.min(Math.floor(total / size) * size, Math.floor(ms / size) * size);
    points.push({ ms: 1000 + ms, done });
  }
  return points;
}

it('is the slope, whatever the size of the jumps', () => {
  for (const size of [10, 50, 130, 400]) expect(sustainedRate(stairs(4000, size), 1000)).toBeCloseTo(1000, -1);
});

it('leaves out the wait of a last batch that does not fill', () => {
  expect(sustainedRate(stairs(4090, 400, 3000), 1000)).toBeCloseTo(1000, -1);
});

it('is the whole over its time when everything came in one jump', () => {
  expect(
    sustainedRate(
      [
        { ms: 1000, done: 0 },
        { ms: 3000, done: 500 },
      ],
      1000,
    ),
  ).toBe(250);
  expect(sustainedRate([], 0)).toBe(0);
});
