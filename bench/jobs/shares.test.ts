import { expect, it } from 'vitest';
import { sharesOf, type Slice } from './shares.ts';

const steady = (job: string, from: number, to: number, groups: number): Slice[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ job, slice: from + i, groups, trajectories: 16 * groups }));
const options = { sliceSeconds: 5, windowSeconds: 60 };

it('counts the smallest share in windows through which all jobs ran, and the throughput of the whole run', () => {
  const slices = [...steady('a', 0, 20, 30), ...steady('b', 2, 18, 10)];
  const { perSecond, leastShare } = sharesOf(slices, options);
  expect(perSecond).toBeCloseTo((16 * (21 * 30 + 17 * 10)) / 105);
  expect(leastShare).toBeCloseTo(0.5);
});

it('sees a job that got nothing for a minute, and no window where one ended before a minute was over', () => {
  const starved = [...steady('a', 0, 40, 10), ...[0, 40].map((slice) => ({ job: 'b', slice, groups: 5, trajectories: 80 }))];
  expect(sharesOf(starved, options).leastShare).toBe(0);
  expect(sharesOf([...steady('a', 0, 40, 10), ...steady('b', 0, 10, 10)], options).leastShare).toBeUndefined();
  expect(sharesOf([], options)).toEqual({ perSecond: 0, leastShare: undefined });
});
