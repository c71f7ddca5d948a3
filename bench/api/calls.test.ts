import { expect, it } from 'vitest';
import { latencyOf, mixedCalls } from './calls.ts';

it('makes as many calls of each kind as its share says, and fails with the first call that does', async () => {
  const counts = { a: 0, b: 0 };
  const kind = (name: 'a' | 'b', share: number) => ({ name, share, call: () => Promise.resolve((counts[name] += 1)) });
  const { signal } = new AbortController();
  const latencies = await mixedCalls([kind('a', 3), kind('b', 1)], { perSecond: 4_000, seconds: 0.1, signal });
  expect(counts).toEqual({ a: 300, b: 100 });
  expect(latencies.get('a')?.calls).toBe(300);
  const broken = { name: 'c', share: 1, call: () => Promise.reject(new Error('refused')) };
  await expect(mixedCalls([broken], { perSecond: 1_000, seconds: 1, signal })).rejects.toThrow('refused');
});

it('gives quantiles by nearest rank', () => {
  expect(latencyOf(Array.from({ length: 100 }, (_, i) => i + 1))).toEqual({ calls: 100, p50: 50, p95: 95, p99: 99, max: 100 });
});
