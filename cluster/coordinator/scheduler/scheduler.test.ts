import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schedulerSchema, type SchedulerConfig } from '../../../src/config/scheduler.ts';
import { createJobRecord, transition, type JobRecord } from '../../../src/jobs/record.ts';
import { isEnded, type JobStateName } from '../../../src/jobs/state.ts';
import { MemoryNodes } from '../../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../../test/support/thermostat.ts';
import { watchNodes } from '../../runtime/nodes.ts';
import { PlaceList } from './place-list.ts';
import { QueueView } from './queue-view.ts';
import { Scheduler } from './scheduler.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const CONFIG = thermostatJob();

/** Coordinators with nothing but a scheduler, and jobs that a test starts and ends. */
async function cluster(settings: Partial<SchedulerConfig>, coordinators = 1) {
  const nodes = new MemoryNodes(folder.path);
  const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
  const made = [];
  for (let i = 1; i <= coordinators; i += 1) {
    const context = await run(nodes.node(`coordinator-${i}`));
    const places = new PlaceList(context.bus);
    await run(places.ready());
    const parts = { nodes: await run(watchNodes(context.bus)), places, settings: schedulerSchema.parse(settings) };
    made.push({ context, places, scheduler: new Scheduler(context, parts) });
  }
  const { context, places, scheduler } = made[0]!;
  const { jobs } = context;
  const create = (id: string, fields: Partial<Pick<JobRecord, 'owner' | 'priority'>> = {}) =>
    run(jobs.create(createJobRecord({ id, config: CONFIG, now: nodes.clock.now(), ...fields })));
  const move = (id: string, state: JobStateName) =>
    run(jobs.update(id, (record) => transition(record, state, { now: nodes.clock.now(), error: 'x' })));
  /** What the actor of a job with a place does. */
  const start = async (id: string, ticket = places.ticketOf(id)): Promise<void> => {
    if (ticket === undefined) return;
    await run(
      jobs.update(id, (record) =>
        record.state === 'QUEUED' && record.ticket < ticket
          ? transition(record, 'RUNNING', { now: nodes.clock.now(), ticket })
          : undefined,
      ),
    );
  };
  const decide = async (): Promise<void> => {
    await run(scheduler.decide());
    await run(nodes.clock.sleep(10));
  };
  const running = () =>
    jobs
      .list()
      .flatMap(({ record }) => (record.state === 'RUNNING' ? [record.id] : []))
      .sort();
  const placed = () => Object.keys(places.places.admitted).sort();
  return { nodes, run, made, context, places, create, move, start, decide, running, placed };
}

describe('Scheduler', () => {
  it('gives places to as many jobs as there are, and the next ones when they are free', async () => {
    const test = await cluster({ maxRunning: 2 });
    for (const id of ['a', 'b', 'c', 'd']) await test.create(id, { priority: id === 'd' ? 1 : 0 });
    await test.decide();
    expect(test.placed()).toEqual(['a', 'd']);
    for (const id of test.placed()) await test.start(id);
    const queue = new QueueView(test.context);
    const place = async (id: string) => test.run(queue.of(test.context.jobs.get(id)!.record));
    expect(await place('c')).toEqual({ position: 2, reason: '2 of 2 jobs run' });
    expect(await place('a')).toBeUndefined();
    await test.move('a', 'SUCCEEDED');
    await test.move('d', 'PAUSED');
    await test.decide();
    expect(test.placed()).toEqual(['b', 'c']);
    // What is resumed waits for a place like any other.
    await test.move('d', 'QUEUED');
    await test.decide();
    expect(test.placed()).toEqual(['b', 'c']);
    expect(await place('d')).toMatchObject({ position: 1 });
    queue.close();
  });

  it('sends a job back for one of a higher priority after the minimum time, and lets it go on by itself', async () => {
    const test = await cluster({ maxRunning: 1, minRunSeconds: 30 });
    await test.create('low');
    await test.decide();
    await test.start('low');
    await test.create('high', { priority: 1 });
    await test.decide();
    expect(test.running()).toEqual(['low']);
    await test.run(test.nodes.clock.sleep(31_000));
    await test.decide();
    expect(test.context.jobs.get('low')!.record).toMatchObject({ state: 'QUEUED', preemptedBy: 'high', ticket: 1 });
    expect(test.placed()).toEqual(['high']);
    await test.start('low');
    await test.start('high');
    expect(test.running()).toEqual(['high']);
    await test.move('high', 'SUCCEEDED');
    await test.decide();
    await test.start('low');
    const { record } = test.context.jobs.get('low')!;
    expect([record.state, record.preemptedBy, record.resumedAt.length]).toEqual(['RUNNING', undefined, 1]);
  });

  it('gives no place to a job that ran when the coordinator last heard of it', async () => {
    const test = await cluster({ maxRunning: 1 });
    await test.create('a');
    await test.decide();
    await test.start('a');
    await test.create('b');
    const { jobs } = test.context;
    const old = jobs.active();
    await test.move('a', 'SUCCEEDED');
    await test.decide();
    expect(test.placed()).toEqual(['b']);
    jobs.active = () => old;
    await test.decide();
    expect(test.placed()).toEqual(['b']);
  });

  it('voids the ticket of a job that gave its place up before it started', async () => {
    const test = await cluster({ maxRunning: 1 });
    await test.create('a');
    await test.decide();
    const old = test.places.ticketOf('a');
    await test.move('a', 'PAUSED');
    await test.create('b');
    await test.decide();
    await test.move('a', 'QUEUED');
    await test.start('b');
    // Whoever learned of the ticket before it was voided.
    await test.start('a', old);
    expect(test.running()).toEqual(['b']);
  });

  it('counts jobs that run without a place, as those that older versions started', async () => {
    const test = await cluster({ maxRunning: 2 });
    for (const id of ['a', 'b', 'c']) await test.create(id);
    for (const id of ['a', 'b']) await test.move(id, 'RUNNING');
    await test.run(test.context.bus.kv('scheduler').put('places', new TextEncoder().encode('{"format":1')));
    await test.decide();
    expect(test.placed()).toEqual(['a', 'b']);
    await test.move('a', 'FAILED');
    await test.decide();
    expect(test.placed()).toEqual(['b', 'c']);
  });

  it('lets one coordinator decide, and another one when that is gone', async () => {
    const test = await cluster({ maxRunning: 2 }, 2);
    const [first, second] = test.made;
    for (const id of ['a', 'b', 'c']) await test.create(id);
    await test.run(Promise.all([first!.scheduler.decide(), second!.scheduler.decide()]));
    expect(test.placed()).toEqual(['a', 'b']);
    await test.move('a', 'CANCELLED');
    await test.run(second!.scheduler.decide());
    expect(test.placed()).toEqual(['a', 'b']);
    await test.run(first!.scheduler.stop());
    await test.run(second!.scheduler.decide());
    await test.run(test.nodes.clock.sleep(10));
    expect(test.placed()).toEqual(['b', 'c']);
  });

  it('never lets more jobs run than there are places, whoever decides and whatever people do', async () => {
    const test = await cluster({ maxRunning: 3, minRunSeconds: 1 }, 2);
    let state = 7;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    const ids: string[] = [];
    const old: [string, number][] = [];
    for (let step = 0; step < 400; step += 1) {
      const act = random(6);
      const id = ids[random(Math.max(1, ids.length))];
      const record = id === undefined ? undefined : test.context.jobs.get(id)?.record;
      if (act === 0 && ids.length < 40) {
        ids.push(`job-${ids.length}`);
        await test.create(ids.at(-1)!, { owner: `owner-${random(3)}`, priority: random(3) });
      } else if (act === 1 && record && !isEnded(record.state) && record.state !== 'PAUSED') {
        await test.move(record.id, random(2) === 0 && record.state === 'RUNNING' ? 'SUCCEEDED' : 'PAUSED');
      } else if (act === 2 && record?.state === 'PAUSED') {
        await test.move(record.id, 'QUEUED');
      } else if (act === 3) {
        const { context, places, scheduler } = test.made[random(2)]!;
        await test.run(scheduler.decide());
        // It forgets that it decides: the lease is gone without its noticing.
        if (random(4) === 0) await test.run(context.bus.kv('leases').delete('scheduler'));
        for (const [job, { ticket }] of Object.entries(places.places.admitted)) old.push([job, ticket]);
      } else if (act === 4) {
        for (const job of test.placed()) if (random(2) === 0) await test.start(job);
      } else if (old.length > 0) {
        await test.start(...old[random(old.length)]!);
        await test.run(test.nodes.clock.sleep(random(2_000)));
      }
      expect(test.running().length).toBeLessThanOrEqual(3);
    }
    expect(ids.length).toBeGreaterThan(20);
    expect(test.running().length + test.placed().length).toBeGreaterThan(0);
  });
});
