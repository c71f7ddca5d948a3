import { describe, expect, it } from 'vitest';
import { Feed } from './feed.ts';

describe('a feed', () => {
  it('gives a newcomer everything, and then each change once', () => {
    const feed = new Feed();
    feed.set('a', 'a1');
    feed.set('b', 'b1');
    const first = feed.since('')!;
    expect(first).toMatchObject({ reset: true, items: ['a1', 'b1'], gone: [] });
    expect(feed.since(first.cursor)).toBeUndefined();
    feed.set('a', 'a2');
    expect(feed.since(first.cursor)).toMatchObject({ reset: false, items: ['a2'], gone: [] });
  });

  it('leaves out states that a slow reader missed, and nothing else', () => {
    const feed = new Feed();
    feed.set('a', 0);
    const { cursor } = feed.since('')!;
    for (let i = 1; i <= 10_000; i += 1) feed.set('a', i);
    feed.set('b', 1);
    expect(feed.since(cursor)!.items).toEqual([10_000, 1]);
  });

  it('says what is gone, to whoever knew it', () => {
    const feed = new Feed();
    feed.set('a', 1);
    feed.set('b', 1);
    const { cursor } = feed.since('')!;
    feed.delete('a');
    feed.delete('never there');
    expect(feed.since(cursor)).toMatchObject({ reset: false, items: [], gone: ['a'] });
    feed.set('a', 2);
    expect(feed.since(cursor)).toMatchObject({ items: [2], gone: [] });
  });

  it('begins anew for a cursor of another feed, of one that is ahead, and of one that missed too many removals', () => {
    const feed = new Feed();
    feed.set('a', 1);
    const { cursor } = feed.since('')!;
    for (const other of ['000000000000:1', `${cursor}0`, 'nonsense', '::']) expect(feed.since(other)?.reset, other).toBe(true);
    for (let i = 0; i < 1100; i += 1) {
      feed.set(`${i}`, i);
      feed.delete(`${i}`);
    }
    expect(feed.since(cursor)).toMatchObject({ reset: true, items: [1] });
  });

  it('tells listeners of each change until they leave', () => {
    const feed = new Feed();
    let heard = 0;
    const leave = feed.onChange(() => (heard += 1));
    feed.set('a', 1);
    feed.delete('a');
    leave();
    feed.set('b', 1);
    expect(heard).toBe(2);
  });
});
