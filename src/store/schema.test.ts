import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow, trajectoryRow, updateRow } from './fixtures.ts';
import { loadMigrations, migrateDown, migrateUp } from './migrate.ts';
import { QUERY_NAMES, namedQuery } from './queries.ts';
import { TABLES, TABLE_NAMES } from '../records/tables.ts';

/** Columns that no row brings. */
const DERIVED = ['ingested_at', 'state_flags', 'round', 'growth'];

const path = mkdtempSync(join(tmpdir(), 'millrace-schema-'));
let engine: EmbeddedEngine;
let store: ClickHouseStore;

beforeAll(async () => {
  engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
  store = new ClickHouseStore(engine, { threads: 1 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const table of TABLE_NAMES) await engine.run(`TRUNCATE TABLE ${table}`);
});

describe('migrations', () => {
  it('make the columns of tables.ts', async () => {
    for (const table of TABLE_NAMES) {
      const { rows } = await store.query(`DESCRIBE TABLE ${table}`);
      const names = rows.map(([name]) => String(name)).filter((name) => !DERIVED.includes(name));
      expect(names, table).toEqual(TABLES[table].columns);
      const keyed = await store.query(
        `SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = '${table}'`,
      );
      expect(keyed.rows[0]?.[0], table).toBe(TABLES[table].order);
    }
  });

  it('go down to nothing and up again', async () => {
    const all = loadMigrations().map((migration) => migration.version);
    const statement = (sql: string): Promise<string> => engine.run(sql);
    const tables = async (): Promise<string> =>
      engine.run(
        `SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name)`,
      );
    const before = await tables();
    expect(await migrateDown(statement, 0)).toEqual([...all].reverse());
    expect((await tables()).trim()).toMatch(/^"\['schema_migrations'\]"$/);
    expect(await migrateDown(statement, 0)).toEqual([]);
    expect(await migrateUp(statement)).toEqual(all);
    expect(await tables()).toBe(before);
  });

  it('refuse a schema newer than this build', async () => {
    await expect(migrateUp((sql) => engine.run(sql), loadMigrations().slice(0, 1))).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('upgrade Millrace') as string,
    });
  });

  it('come in pairs', () => {
    const files = readdirSync(new URL('./migrations/', import.meta.url)).sort();
    expect(files).toEqual(
      loadMigrations().flatMap(({ version, name }) =>
        ['down', 'up'].map((way) => `${String(version).padStart(4, '0')}_${name}.${way}.sql`),
      ),
    );
    for (const migration of loadMigrations()) expect(migration.down.length, migration.name).toBeGreaterThan(0);
  });
});

describe('views', () => {
  /** Two versions: at first nobody succeeds and half of the tool calls fail, then all do. */
  const fill = async (token: string): Promise<void> => {
    const versions = [0, 1];
    const steps = versions.flatMap((policy_version) =>
      [0, 1, 2, 3].map((step) =>
        stepRow({
          trajectory_id: `v${policy_version}`,
          policy_version,
          step,
          tool: policy_version === 1 || step % 2 === 0 ? 'find' : 'guess',
          error: policy_version === 0 && step % 2 === 1,
        }),
      ),
    );
    const trajectories = versions.map((policy_version) =>
      trajectoryRow({
        trajectory_id: `v${policy_version}`,
        policy_version,
        success: policy_version === 1,
        reward: policy_version,
        steps: 4,
        plan_us: 4000,
        tool_us: 2000,
      }),
    );
    trajectories.push(
      trajectoryRow({
        trajectory_id: 'lost',
        valid: false,
        success: false,
        failure: 'tool_timeout',
        failure_message: 'find took 5 s',
        resamples: 3,
      }),
    );
    await store.insert('steps', encodeRows('steps', steps), `${token}s`);
    await store.insert('trajectories', encodeRows('trajectories', trajectories), `${token}t`);
    await store.insert(
      'updates',
      encodeRows('updates', [updateRow(), updateRow({ version: 2, trained: 8, filtered: 0 })]),
      `${token}u`,
    );
  };
  const views = `success_by_version tool_usage time_breakdown failure_classes staleness tool_choice tool_calls group_outcomes
    task_outcomes usage_by_day`.split(/\s+/);

  it('count each row once, also when it was inserted twice', async () => {
    await fill('first');
    const read = async (): Promise<string[]> => {
      const printed: string[] = [];
      for (const view of views) printed.push(await engine.run(`SELECT * FROM ${view} ORDER BY ALL FORMAT TSVWithNames`));
      return printed;
    };
    const before = await read();
    for (const printed of before) expect(printed.trim().split('\n').length).toBeGreaterThan(1);
    await fill('second');
    expect((await engine.run('SELECT count() FROM steps SETTINGS final = 0')).trim()).toBe('16');
    expect(await read()).toEqual(before);
  });

  it('answer the named queries', async () => {
    await fill('named');
    const answers = new Map<string, unknown[][]>();
    for (const name of QUERY_NAMES) {
      const { sql, title } = namedQuery(name);
      expect(title, name).toMatch(/^[A-Z].*\.$/);
      answers.set(name, (await store.query(sql, { parameters: { job: 'job' } })).rows);
      expect((await store.query(sql, { parameters: { job: 'another' } })).rows, `${name} of another job`).toEqual([]);
    }
    expect(answers.get('success-by-version')).toEqual([
      [0, 0, 2, 1, 0, 0, 4],
      [1, 1, 1, 0, 1, 1, 4],
    ]);
    expect(answers.get('tool-use')).toEqual([
      ['find', 6, 0.75, 0, 0.5, 0.5, 0.5, 0.5],
      ['guess', 2, 0.25, 1, 0.5, 0.5, 0.5, 0.5],
    ]);
    // 20 ms of running: 4 × 1 ms planning, 4 × 0.5 ms tools, 14 ms the flow itself.
    const time = new Map(answers.get('time')!.map(([stage, mean]) => [stage, mean]));
    expect(Object.fromEntries(time)).toEqual({ queue: 10, planning: 4, tools: 2, flow: 14, scoring: 5 });
    expect(answers.get('failures')!.map((row) => row.slice(0, 5))).toEqual([['train', 'tool_timeout', 'rollout-1', 1, 3]]);
    expect(answers.get('staleness')!.map((row) => row.slice(0, 6))).toEqual([
      [1, 1, 0.5, 1, 6, 2],
      [2, 2, 0.5, 1, 8, 0],
    ]);
    expect(answers.get('reward-components')).toEqual([
      [0, 0, 'outcome', 0, null, 1, 1],
      [1, 1, 'outcome', 1, 1, 0, null],
    ]);
    expect(answers.get('why')!.map((row) => row.slice(0, 6))).toEqual([
      ['find', 0.5, 1, 0.5, 0, 0],
      ['guess', 0.5, 0, -0.5, 1, 0],
    ]);
  });
});
