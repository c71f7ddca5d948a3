import { describe, expect, it } from 'vitest';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { encodeJobRecord } from '../../src/jobs/record-codec.ts';
import { createJobRecord, type JobRecord } from '../../src/jobs/record.ts';
import { JobCache, type UnreadableJob } from './job-cache.ts';

const record = (id: string, createdAt = 0): JobRecord => createJobRecord({ id, config: thermostatJob([]), now: createdAt });
const entry = (id: string, revision: number, accepted = 0) => ({ record: { ...record(id), accepted }, revision });

function setUp() {
  const changes: string[] = [];
  const unreadable: UnreadableJob[] = [];
  const cache = new JobCache((job) => unreadable.push(job));
  cache.onChange(({ record: { id }, revision }) => changes.push(`${id}@${revision}`));
  return { cache, changes, unreadable };
}

describe('JobCache', () => {
  it('keeps the newest revision of a record, whatever order they come in', () => {
    const { cache, changes } = setUp();
    cache.put(entry('a', 1));
    cache.put(entry('a', 3, 30));
    expect(cache.put(entry('a', 2, 20)).revision).toBe(3);
    expect(cache.get('a')).toMatchObject({ revision: 3, record: { accepted: 30 } });
    expect(changes).toEqual(['a@1', 'a@3']);
  });

  it('lists the newest job first', () => {
    const { cache } = setUp();
    for (const [id, createdAt] of [
      ['a', 1],
      ['c', 3],
      ['b', 2],
    ] as const)
      cache.put({ record: record(id, createdAt), revision: 1 });
    expect(cache.list().map((one) => one.record.id)).toEqual(['c', 'b', 'a']);
  });

  it('finds the job that a request created, until the job is gone', () => {
    const { cache } = setUp();
    const of = (id: string, request: string) => ({ ...record(id), request: { id: request, digest: 'd' } });
    cache.put({ record: of('a', 'first'), revision: 1 });
    cache.put({ record: of('b', 'second'), revision: 2 });
    expect([cache.byRequest('first')?.record.id, cache.byRequest('third')]).toEqual(['a', undefined]);
    cache.deleted('a', 3);
    expect([cache.byRequest('first'), cache.byRequest('second')?.record.id]).toEqual([undefined, 'b']);
  });

  it('notes a value that cannot be read until a newer one can', () => {
    const { cache, unreadable } = setUp();
    cache.put(entry('a', 1));
    cache.read({ key: 'a', value: Buffer.from('{"cut'), revision: 2 });
    expect([cache.get('a'), cache.unreadable().map(({ id, revision }) => [id, revision])]).toEqual([undefined, [['a', 2]]]);
    expect(unreadable).toHaveLength(1);
    // Read once more, it is not reported again.
    cache.read({ key: 'a', value: Buffer.from('{"cut'), revision: 2 });
    expect(unreadable).toHaveLength(1);
    const mended = cache.read({ key: 'a', value: encodeJobRecord(record('a')), revision: 3 });
    cache.put(mended as { record: JobRecord; revision: number });
    expect([cache.get('a')?.revision, cache.unreadable()]).toEqual([3, []]);
  });

  it('forgets a job that was deleted, and keeps one whose bucket was deleted', () => {
    const { cache } = setUp();
    cache.put(entry('a', 4));
    cache.put(entry('b', 5));
    cache.deleted('a', 6);
    // A bucket that was made anew counts from the beginning.
    cache.deleted('b', 1);
    expect(cache.list()).toMatchObject([{ record: { id: 'b' }, revision: 0 }]);
    cache.put(entry('b', 1, 7));
    expect(cache.get('b')).toMatchObject({ revision: 1, record: { accepted: 7 } });
  });

  it('calls no handler after it was closed', () => {
    const { cache, changes } = setUp();
    cache.close();
    cache.put(entry('a', 1));
    expect(changes).toEqual([]);
  });
});
