import { expect, it } from 'vitest';
import { CallError } from '../api/rpc.ts';
import { Loader, type Told } from './load.ts';

/** Questions that are answered by hand. */
function questions(): { ask: () => Promise<number>; answer: (value: number | Error) => void; open: () => number } {
  const open: ((value: number | Error) => void)[] = [];
  return {
    ask: () => new Promise((resolve, reject) => open.push((value) => (value instanceof Error ? reject(value) : resolve(value)))),
    answer: (value) => open.shift()!(value),
    open: () => open.length,
  };
}

it('asks one question at a time, and once more for all changes meanwhile', async () => {
  const { ask, answer, open } = questions();
  const told: Told<number>[] = [];
  const loader = new Loader(ask, (news) => told.push(news), 1);
  for (let i = 0; i < 5; i += 1) loader.refresh();
  expect(open()).toBe(1);
  answer(1);
  await expect.poll(open).toBe(1);
  answer(2);
  await expect.poll(() => told).toEqual([{ data: 1 }, { data: 2 }]);
  expect(open()).toBe(0);
  loader.end();
});

it('tells an error in the words of the cluster, and asks again when it is to', async () => {
  const { ask, answer, open } = questions();
  const told: Told<number>[] = [];
  const loader = new Loader(ask, (news) => told.push(news), 1);
  loader.refresh();
  answer(new CallError('no coordinator', 'unavailable'));
  await expect.poll(() => told[0]?.error?.message).toBe('no coordinator');
  loader.refresh();
  await expect.poll(open).toBe(1);
  loader.end();
});

it('says nothing of what comes after its end', async () => {
  const { ask, answer } = questions();
  const told: Told<number>[] = [];
  const loader = new Loader(ask, (news) => told.push(news), 1);
  loader.refresh();
  loader.end();
  answer(1);
  await Promise.resolve();
  loader.refresh();
  expect(told).toEqual([]);
});
