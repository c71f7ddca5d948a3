import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { MillraceError } from '../../src/errors.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { startStore } from '../store/index.ts';
import { keepJobRows } from './job-rows.ts';

async function setUp() {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  let away = false;
  const context = await clock.run(
    nodes.node('coordinator', (bus) => {
      const publish = bus.publish.bind(bus);
      bus.publish = (...message) =>
        away ? Promise.reject(new MillraceError('unavailable', 'no server', { retryable: true })) : publish(...message);
      return bus;
    }),
  );
  await clock.run(ensureWriterDurables(context.bus));
  const store = new MemoryStore();
  const open = async () => clock.run(startStore(await clock.run(nodes.node('store')), store));
  const create = (id: string) => clock.run(context.jobs.create(createJobRecord({ id, config: thermostatJob(), now: 1000 })));
  const change = (to: (record: JobRecord) => JobRecord, id = 'a') => clock.run(context.jobs.update(id, to));
  const pass = (ms: number): Promise<void> => clock.run(clock.sleep(ms));
  const settle = (): Promise<void> => pass(10_000);
  const jobs = () => store.rows('training_jobs').map(({ job, state, checkpoints }) => [job, state, checkpoints]);
  return { clock, context, store, open, create, change, pass, settle, jobs, setAway: (is: boolean) => void (away = is) };
}

const checkpoint = (version: number) => ({ version, digest: String(version % 10).repeat(64), bytes: 10, at: 5000 });

describe('keepJobRows', () => {
  it('writes jobs as they change, and every checkpoint once', async () => {
    const { context, store, open, create, change, settle, jobs, clock } = await setUp();
    const role = await open();
    await create('a');
    const stop = keepJobRows(context);
    await settle();
    expect(jobs()).toEqual([['a', 'QUEUED', []]]);
    await change((record) => transition(record, 'RUNNING', { now: 2000 }));
    await change((record) => ({ ...record, checkpoints: [checkpoint(1), checkpoint(2)] }));
    await change((record) => ({ ...record, checkpoints: [checkpoint(2)] }));
    await change((record) => transition(record, 'SUCCEEDED', { now: 9000 }));
    await settle();
    expect(jobs()).toEqual([['a', 'SUCCEEDED', [2]]]);
    expect(store.rows('training_jobs')[0]).toMatchObject({
      owner: 'local',
      method: 'grpo',
      policy: 'planner',
      created_at: 1_000_000,
      started_at: 2_000_000,
      ended_at: 9_000_000,
      best_checkpoint: -1,
    });
    const config = JSON.parse(String(store.rows('training_jobs')[0]!['config'])) as object;
    expect(config).toMatchObject({ name: thermostatJob().name });
    expect(store.rows('policy_checkpoints').map(({ version, bytes, written_at }) => [version, bytes, written_at])).toEqual([
      [1, 10, 5_000_000],
      [2, 10, 5_000_000],
    ]);
    await clock.run(stop());
    await clock.run(role.stop());
  });

  it('writes nothing for changes that no row shows', async () => {
    const { context, create, change, settle, clock } = await setUp();
    await create('a');
    const stop = keepJobRows(context);
    await settle();
    const written = async (): Promise<number> => (await clock.run(context.bus.streamState('EVENTS'))).messages;
    const before = await written();
    for (let accepted = 1; accepted <= 20; accepted += 1) await change((record) => ({ ...record, accepted }));
    await settle();
    expect([before, await written()]).toEqual([1, 1]);
    await clock.run(stop());
  });

  it('writes what changed while the bus or the store were away, and all of it again after a start, to the same rows', async () => {
    const { context, open, create, change, settle, jobs, setAway, clock, store } = await setUp();
    await create('a');
    await create('b');
    let stop = keepJobRows(context);
    await settle();
    setAway(true);
    await change((record) => transition(record, 'RUNNING', { now: 2000 }));
    await change((record) => ({ ...record, checkpoints: [checkpoint(4)] }));
    await settle();
    setAway(false);
    await settle();
    await clock.run(stop());
    await change((record) => transition(record, 'CANCELLED', { now: 3000 }), 'b');
    stop = keepJobRows(context);
    await settle();
    const role = await open();
    await settle();
    expect(jobs().sort()).toEqual([
      ['a', 'RUNNING', [4]],
      ['b', 'CANCELLED', []],
    ]);
    expect(store.rows('policy_checkpoints')).toHaveLength(1);
    await clock.run(stop());
    await clock.run(role.stop());
  });
});
