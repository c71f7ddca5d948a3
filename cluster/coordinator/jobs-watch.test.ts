import { expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { JobSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { JobsChange } from '../admin/backend.ts';
import { parseFilter } from '../admin/filter.ts';
import type { JobListing } from '../admin/job-listing.ts';
import { watchJobs } from './jobs-watch.ts';

/** Jobs that a test changes, and what a watch tells of them. */
function watched(clock: VirtualClock) {
  const listings = new Map<string, JobListing>();
  const handlers = new Set<(id: string) => void>();
  let views = 0;
  const jobs = {
    clock,
    list: () => [...listings.values()],
    get: (id: string) => listings.get(id),
    onChange: (handler: (id: string) => void) => {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
  };
  const set = (id: string, state: JobListing['state'], revision: number): void => {
    const times = { createTime: 0, startTime: undefined, endTime: undefined };
    const view = (): Promise<ReturnType<typeof create<typeof JobSchema>>> => {
      views += 1;
      return Promise.resolve(create(JobSchema, { id }));
    };
    listings.set(id, { id, name: id, flow: '', owner: '', priority: 0, state, revision, ...times, view });
    for (const handler of handlers) handler(id);
  };
  return { jobs, set, handlers, views: () => views };
}

it('tells wanted jobs by revision, changes together, and jobs that leave once', () => {
  const clock = new VirtualClock();
  return clock.run(
    (async () => {
      const { jobs, set, handlers, views } = watched(clock);
      set('b', 'RUNNING', 7);
      set('a', 'RUNNING', 3);
      set('z', 'FAILED', 5);
      const over = new AbortController();
      const watch = watchJobs(jobs, { isWanted: parseFilter('state=RUNNING'), since: undefined, signal: over.signal });
      const next = async (): Promise<string> => {
        const { job, left, revision } = (await watch.next()).value as JobsChange;
        return `${job.id}${left ? ' left' : ''} ${revision}`;
      };
      expect(await next()).toBe('a 3');
      expect(await next()).toBe('b 7');
      for (let i = 0; i < 100; i += 1) set('a', 'RUNNING', 8 + i);
      set('b', 'SUCCEEDED', 200);
      expect(await next()).toBe('a 107');
      expect(await next()).toBe('b left 200');
      expect(views()).toBe(4);
      // Nothing changes, but a running job is looked at again.
      expect(await next()).toBe('a 200');
      set('z', 'CANCELLED', 300);
      set('new', 'RUNNING', 301);
      expect([await next(), await next()].join()).toMatch(/new 301/);
      over.abort();
      expect((await watch.next()).done).toBe(true);
      expect(handlers.size).toBe(0);
    })(),
  );
});

it('goes on after a revision, with what runs and what may have left', () => {
  const clock = new VirtualClock();
  return clock.run(
    (async () => {
      const { jobs, set } = watched(clock);
      set('old', 'SUCCEEDED', 10);
      set('runs', 'RUNNING', 20);
      set('new', 'QUEUED', 1001);
      const over = new AbortController();
      const watch = watchJobs(jobs, {
        isWanted: parseFilter('state=RUNNING OR state=SUCCEEDED'),
        since: 1000,
        signal: over.signal,
      });
      const { value: first } = await watch.next();
      const { value: second } = await watch.next();
      expect(first).toMatchObject({ job: { id: 'runs' }, left: false });
      expect(second).toMatchObject({ job: { id: 'new' }, left: true });
      await watch.return(undefined);
    })(),
  );
});
