import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { TABLE_NAMES, type TableName } from '../records/tables.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-maintenance-'));
let engine: EmbeddedEngine;
let store: ClickHouseStore;

beforeEach(async () => {
  for (const table of TABLE_NAMES) await engine.run(`TRUNCATE TABLE ${table}`);
});
beforeAll(async () => {
  engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
  store = new ClickHouseStore(engine, { threads: 1 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

const DAY = 86_400_000;

/** Rows that came so many days ago: the writer gives no time of arrival, the tests do. `n` counts the rows. */
async function arrived(
  table: string,
  columns: string,
  values: string,
  { daysAgo, rows = 1 }: { daysAgo: number; rows?: number },
): Promise<void> {
  const at = `now64(6) - toIntervalSecond(${Math.round(daysAgo * 86_400)})`;
  await engine.run(
    `INSERT INTO ${table} (${columns}, ingested_at) SELECT ${values}, ${at} FROM (SELECT number AS n FROM numbers(${rows}))`,
  );
}

/** Two trajectories of three steps each, a round, an evaluation and an event. */
async function fill(job: string, daysAgo: number, from = 0): Promise<void> {
  const id = (n: string): string => `concat('${job}:', toString(${from} + ${n}), ':t1:0:0')`;
  await arrived('trajectories', 'job, trajectory_id, node', `'${job}', ${id('n')}, 'rollout-1'`, { daysAgo, rows: 2 });
  await arrived(
    'steps',
    'job, trajectory_id, step, arguments, purpose',
    `'${job}', ${id('n % 2')}, intDiv(n, 2), 'text', 'train'`,
    {
      daysAgo,
      rows: 6,
    },
  );
  await arrived('updates', 'job, version', `'${job}', ${from + 1}`, { daysAgo });
  await arrived('evaluations', 'job, name, policy_version', `'${job}', 'trained', ${from}`, { daysAgo });
  await arrived('job_events', 'job, id, kind', `'${job}', 'started ${from}', 'started'`, { daysAgo });
}

const end = (job: string, daysAgo: number): Promise<void> =>
  arrived('job_events', 'job, id, kind', `'${job}', 'end', 'succeeded'`, { daysAgo });

/** Rows by table, those of one job. */
/** How many rows of a job each table has, of those that have some. */
async function rowsOf(job: string): Promise<Partial<Record<TableName, number>>> {
  const counts: Partial<Record<TableName, number>> = {};
  for (const table of TABLE_NAMES) {
    const count = Number((await store.query(`SELECT count() FROM ${table} WHERE job = '${job}'`)).rows[0]![0]);
    if (count > 0) counts[table] = count;
  }
  return counts;
}

describe('retention', () => {
  const ttls = async (): Promise<string> =>
    engine.run(`SELECT countSubstrings(create_table_query, ' TTL ') FROM system.tables WHERE database = currentDatabase()
      AND name IN ('steps', 'trajectories') ORDER BY name FORMAT TabSeparated`);

  it('changes the tables only where they differ', async () => {
    expect(await store.retain({})).toEqual([]);
    const wanted = { steps: 24 * 90, text: 24 * 30 };
    expect(await store.retain(wanted)).toHaveLength(10);
    expect(await ttls()).toBe('8\n2\n');
    expect(await store.retain(wanted)).toEqual([]);
    expect(await store.retain({ ...wanted, steps: 24 })).toEqual([
      'ALTER TABLE steps MODIFY TTL toDateTime(ingested_at) + toIntervalHour(24)',
    ]);
    expect(await store.retain({ trajectories: 24 })).toHaveLength(11);
    expect(await ttls()).toBe('0\n1\n');
    expect(await store.retain({})).toEqual(['ALTER TABLE trajectories REMOVE TTL']);
    expect(await store.retain({ tokens: 24 })).toHaveLength(3);
    expect(await ttls()).toBe('3\n0\n');
    expect(await store.retain({})).toHaveLength(3);
    expect(await store.retain({})).toEqual([]);
  });

  it('empties old texts and deletes old rows when parts are merged', async () => {
    await fill('new', 0);
    await fill('old', 0.2, 10);
    await fill('oldest', 3, 20);
    await store.retain({ steps: 24, text: 2 });
    await engine.run('OPTIMIZE TABLE steps FINAL');
    const { rows } = await store.query('SELECT job, arguments, count() FROM steps GROUP BY job, arguments ORDER BY job');
    expect(rows).toEqual([
      ['new', 'text', 6],
      ['old', '', 6],
    ]);
    await store.retain({});
  });
});

describe('stats', () => {
  it('say what lies on disk, by table and by job', async () => {
    await fill('first', 3);
    await fill('second', 1);
    await end('first', 2);
    const { tables, jobs } = await store.stats();
    expect(tables.map(({ table }) => table)).toEqual([...TABLE_NAMES]);
    const steps = tables[0]!;
    expect(steps).toMatchObject({ table: 'steps', rows: 12 });
    expect(steps.parts).toBeGreaterThan(1);
    expect(steps.diskBytes).toBeGreaterThan(steps.compressedBytes);
    expect(steps.rawBytes).toBeGreaterThan(0);
    expect((Date.now() - steps.oldest) / DAY).toBeCloseTo(3, 1);
    expect((Date.now() - steps.newest) / DAY).toBeCloseTo(1, 1);
    expect(jobs.map(({ job, trajectories, steps, ended }) => ({ job, trajectories, steps, ended }))).toEqual([
      { job: 'second', trajectories: 2, steps: 6, ended: false },
      { job: 'first', trajectories: 2, steps: 6, ended: true },
    ]);
    expect(jobs[1]!.bytesPerStep).toBeGreaterThan(0);
    expect((Date.now() - jobs[1]!.newest) / DAY).toBeCloseTo(2, 1);
  });

  it('of an empty store are zeros', async () => {
    const { tables, jobs } = await store.stats();
    expect(jobs).toEqual([]);
    expect(tables.every(({ rows, oldest, newest }) => rows === 0 && oldest === 0 && newest === 0)).toBe(true);
  });
});

describe('prune', () => {
  const before = (days: number): number => Date.now() - days * DAY;

  it('says what would go, then takes old jobs altogether and the old rows of others', async () => {
    await fill('gone', 40);
    await end('gone', 39);
    await fill('half', 40);
    await fill('half', 1, 10);
    await end('half', 1);
    await fill('recent', 1);
    await end('recent', 1);
    const expected = [
      { job: 'half', trajectories: 2, steps: 6, whole: false },
      { job: 'gone', trajectories: 2, steps: 6, whole: true },
    ];
    const dry = await store.prune({ before: before(30), dryRun: true });
    expect(dry.map(({ bytes: _, ...rest }) => rest)).toEqual(expected);
    expect(dry.every(({ bytes }) => bytes > 0)).toBe(true);
    expect(await rowsOf('gone')).toEqual({ steps: 6, trajectories: 2, updates: 1, evaluations: 1, job_events: 2 });
    expect((await store.prune({ before: before(30) })).map(({ bytes: _, ...rest }) => rest)).toEqual(expected);
    expect(await rowsOf('gone')).toEqual({});
    expect(await rowsOf('half')).toEqual({ steps: 6, trajectories: 2, updates: 2, evaluations: 2, job_events: 3 });
    expect(await rowsOf('recent')).toEqual({ steps: 6, trajectories: 2, updates: 1, evaluations: 1, job_events: 2 });
    expect(await store.prune({ before: before(30) })).toEqual([]);
  });

  it('leaves jobs that have not ended, and those that somebody knows to run', async () => {
    await fill('open', 40);
    await fill('resumed', 40);
    await end('resumed', 39);
    expect(await store.prune({ before: before(30), running: ['resumed'] })).toEqual([]);
    for (const job of ['open', 'resumed'])
      await expect(store.prune({ before: before(30), job, running: ['resumed'] })).rejects.toMatchObject({
        code: 'failed_precondition',
        field: 'job',
      });
    await expect(store.prune({ before: before(30), job: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
    expect(await rowsOf('open')).toEqual({ steps: 6, trajectories: 2, updates: 1, evaluations: 1, job_events: 1 });
  });

  it('takes rows without events, and of one job alone when it is named', async () => {
    for (const job of ['made', "it's"]) {
      const id = job.replaceAll("'", "\\'");
      await arrived('trajectories', 'job, trajectory_id, node', `'${id}', '${id}:0:t:0:0', 'n'`, { daysAgo: 40 });
    }
    expect(await store.prune({ before: before(30), job: "it's" })).toMatchObject([{ job: "it's", whole: true }]);
    expect((await store.query('SELECT job FROM trajectories')).rows).toEqual([['made']]);
  });

  it('leaves a job that ended lately and has no rows', async () => {
    await end('empty', 0);
    expect(await store.prune({ before: before(30) })).toEqual([]);
    expect(await rowsOf('empty')).toEqual({ job_events: 1 });
  });
});
