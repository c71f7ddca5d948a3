import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import { decodeSchedule, encodeSchedule, type Schedule, type Trigger } from '../../src/jobs/schedules/schedule.ts';
import { MillraceError } from '../../src/errors.ts';
import { ScheduleDirectory } from '../jobs/schedules.ts';
import type { NodeContext } from '../runtime/context.ts';
import { JobCommands } from './job-commands.ts';
import { runSchedules, type CountRows } from './schedule-runner.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nodes: MemoryNodes;
let first: NodeContext;
let second: NodeContext;
const stops: (() => Promise<void>)[] = [];
const config = thermostatJob();
beforeEach(async () => {
  folder = await temporaryFolder();
  nodes = new MemoryNodes(folder.path);
  [first, second] = [await run(nodes.node('one')), await run(nodes.node('two'))];
  // What is bundled and loaded for a job is tested elsewhere.
  vi.spyOn(JobCommands.prototype, 'create').mockImplementation(async function (this: JobCommands, id, given, { from } = {}) {
    created.push({ id, from });
    const record = createJobRecord({ id, config: given, now: 1 });
    await second.jobs.create(record);
    return record;
  });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await run(stop());
  vi.restoreAllMocks();
  created.length = 0;
  await folder.remove();
});

const created: { id: string; from: unknown }[] = [];
const ids = (): string[] => created.map(({ id }) => id);
const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
const wait = (minutes: number): Promise<void> => run(nodes.clock.sleep(minutes * 60_000));
const start = async (context: NodeContext, countRows?: CountRows): Promise<() => Promise<void>> => {
  const stop = await run(runSchedules(context, countRows));
  stops.push(stop);
  return stop;
};
const add = async (more: Partial<Schedule> = {}): Promise<void> => {
  const now = Math.round(nodes.clock.now());
  const trigger: Trigger = { kind: 'cron', cron: '*/5 * * * *', timeZone: 'UTC' };
  const common = { format: 1 as const, name: 'often', trigger, config, priority: 0, fromLatest: false, paused: false };
  const schedule = { ...common, createdAt: now, seenUntil: now, runs: 0, jobs: [], ...more };
  await run(first.bus.kv('schedules').create('often', encodeSchedule(schedule)));
};
const stored = async (): Promise<Schedule> => decodeSchedule((await run(first.bus.kv('schedules').get('often')))!.value);

describe('schedules', () => {
  it('run each tick once, also when the coordinator that runs them dies', async () => {
    const dead = first;
    await start(dead);
    await start(second);
    await add();
    const ticks = (): number => Math.floor(nodes.clock.now() / 300_000);
    const before = ticks();
    await wait(11);
    expect(ids()).toHaveLength(ticks() - before);
    // It dies: it renews no lease and answers nothing any more.
    await run(dead.bus.close());
    await wait(11);
    expect(new Set(ids()).size).toBe(ids().length);
    expect(ids()).toHaveLength(ticks() - before);
    expect(
      second.jobs
        .list()
        .map(({ record }) => record.id)
        .sort(),
    ).toEqual([...ids()].sort());
    expect(ids().every((id) => /^often-\d{8}-\d{4}$/.test(id))).toBe(true);
  });

  it('find the job that a coordinator created before it could note the tick', async () => {
    await start(first);
    await add();
    const update = vi.spyOn(ScheduleDirectory.prototype, 'update');
    update.mockRejectedValueOnce(new MillraceError('unavailable', 'no answer'));
    await wait(6);
    expect(ids()).toHaveLength(2);
    expect(new Set(ids()).size).toBe(1);
    expect(await stored()).toMatchObject({ runs: 1, jobs: [ids()[0]] });
  });

  it('run the ticks that nobody was there for once', async () => {
    await add();
    await wait(32);
    await start(first);
    await wait(0.1);
    expect(ids()).toHaveLength(1);
    await wait(5);
    expect(ids()).toHaveLength(2);
  });

  it('start from the job before, where it left a checkpoint', async () => {
    await start(first);
    await add({ fromLatest: true });
    await wait(6);
    expect(created).toMatchObject([{ from: undefined }]);
    const checkpoints = [{ version: 3, digest: 'a'.repeat(64), bytes: 1, at: 1 }];
    await run(first.jobs.update(created[0]!.id, (record) => ({ ...record, checkpoints })));
    await wait(10);
    // The second job has none.
    expect(created.slice(1)).toMatchObject([{ from: { job: created[0]!.id } }, { from: { job: created[0]!.id } }]);
  });

  it('count rows from when they were created', async () => {
    let rows = 1000;
    await start(first, () => Promise.resolve(rows));
    await add({ trigger: { kind: 'trajectories', count: 50 } });
    await wait(1);
    rows += 49;
    await wait(1);
    expect(ids()).toEqual([]);
    rows += 60;
    await wait(1);
    expect(ids()).toHaveLength(1);
    await wait(5);
    expect(ids()).toHaveLength(1);
    expect(await stored()).toMatchObject({ seenRows: 1109, runs: 1 });
  });

  it('say why a tick created no job, and go on', async () => {
    vi.spyOn(JobCommands.prototype, 'create').mockRejectedValueOnce(new MillraceError('not_found', 'there is no flow'));
    await start(first);
    await add();
    await wait(6);
    expect(await stored()).toMatchObject({ runs: 0, error: { message: 'there is no flow' } });
    await wait(5);
    const after = await stored();
    expect(after).toMatchObject({ runs: 1 });
    expect(after.error).toBeUndefined();
  });
});
