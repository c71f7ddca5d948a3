import { expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { topology } from '../protocol/topology.ts';
import { MemoryBus } from './memory/memory-bus.ts';
import { SharedWatch } from './shared-watch.ts';

it('tells each follower of its key alone, what is present first, and opens one watch for all', async () => {
  const clock = new VirtualClock();
  const kv = new MemoryBus({ clock, topology: topology() }).kv('policies');
  let opened = 0;
  const watches = new SharedWatch({
    ...kv,
    get: (key) => kv.get(key),
    watch: (filter, handler) => {
      opened += 1;
      // The first one cannot be opened.
      return opened === 1 ? Promise.reject(new Error('away')) : kv.watch(filter, handler);
    },
  });
  const seen: string[] = [];
  const follow = (name: string, key: string) =>
    watches.watch(key, ({ value }) => seen.push(`${name}: ${value === undefined ? 'gone' : Buffer.from(value).toString()}`));
  const put = (key: string, text: string) => clock.run(kv.put(key, Buffer.from(text)));
  await put('a', 'a1');
  await expect(clock.run(follow('first', 'a'))).rejects.toThrow('away');
  const stop = await clock.run(follow('first', 'a'));
  await clock.run(follow('second', 'a'));
  await clock.run(follow('other', 'b'));
  await put('a', 'a2');
  await put('b', 'b1');
  await clock.run(kv.delete('a'));
  await clock.run(clock.sleep(10));
  stop();
  await put('a', 'a3');
  await clock.run(clock.sleep(10));
  const ofA = (name: string): string[] => seen.filter((text) => text.startsWith(name));
  expect(ofA('first')).toEqual(['first: a1', 'first: a2', 'first: gone']);
  expect(ofA('second')).toEqual(['second: a1', 'second: a2', 'second: gone', 'second: a3']);
  expect(ofA('other')).toEqual(['other: b1']);
  expect(opened).toBe(2);
});
