import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import {
  evaluationRow,
  callRow,
  experimentDecisionRow,
  experimentOutcomeRow,
  explorationRow,
  jobEventRow,
  policyCheckpointRow,
  spendingRow,
  stepRow,
  trainingJobRow,
  trajectoryRow,
  updateRow,
} from './fixtures.ts';
import { loadMigrations, migrateDown, migrateUp } from './migrate.ts';
import type { TableName } from '../records/tables.ts';
import { TABLES } from '../records/tables.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-migrations-'));
const migrations = loadMigrations();
let engine: EmbeddedEngine;
const run = (sql: string): Promise<string> => engine.run(sql);

beforeAll(async () => {
  engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
});
afterAll(async () => {
  await engine.close();
  rmSync(path, { recursive: true, force: true });
});

/** Two trajectories of training and one of an evaluation, three steps each; each row twice. */
const ids = ['job:7:t1:0:0', 'job:12:t2:0:1', 'job:trained@40:t3:0:0'];
const rows: Readonly<Record<TableName, Buffer>> = {
  steps: encodeRows(
    'steps',
    ids.flatMap((trajectory_id) =>
      [0, 1, 2].map((step) =>
        stepRow({ trajectory_id, step, plan_us: 100 + step, tool_us: 10, state_flags: Float32Array.of(1, 0.5) }),
      ),
    ),
  ),
  trajectories: encodeRows(
    'trajectories',
    ids.map((trajectory_id) =>
      trajectoryRow({
        trajectory_id,
        answer: `answer of ${trajectory_id}`,
        micro_dollars: 1,
        adapter: '',
        experiment: '',
        arm: '',
      }),
    ),
  ),
  updates: encodeRows('updates', [updateRow()]),
  evaluations: encodeRows('evaluations', [evaluationRow()]),
  job_events: encodeRows('job_events', [jobEventRow()]),
  exploration: encodeRows('exploration', [explorationRow()]),
  spending: encodeRows('spending', [spendingRow()]),
  training_jobs: encodeRows('training_jobs', [trainingJobRow()]),
  policy_checkpoints: encodeRows('policy_checkpoints', [policyCheckpointRow()]),
  experiment_outcomes: encodeRows('experiment_outcomes', [experimentOutcomeRow()]),
  experiment_decisions: encodeRows('experiment_decisions', [experimentDecisionRow()]),
  calls: encodeRows('calls', [callRow()]),
};

/** Inserts the rows as far as the schema of now has room for them, twice, as a redelivery would. */
async function fill(): Promise<void> {
  for (const table of Object.keys(rows) as TableName[]) {
    const there = await columnsOf(table);
    if (there.length === 0) continue;
    const columns = TABLES[table].columns;
    const kept = columns.filter((column) => there.includes(column));
    const block = rows[table]
      .toString()
      .trim()
      .split('\n')
      .map((line) => {
        const values = JSON.parse(line) as unknown[];
        return `${JSON.stringify(kept.map((column) => values[columns.indexOf(column)]))}\n`;
      })
      .join('');
    for (let i = 0; i < 2; i++)
      await engine.insert(
        { table, columns: kept, settings: { insert_deduplication_token: `${table} ${i}` } },
        Buffer.from(block),
      );
  }
}

async function columnsOf(table: string): Promise<string[]> {
  const printed = await run(
    `SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '${table}' FORMAT TabSeparated`,
  );
  return printed.split('\n').filter(Boolean);
}

/** What a reader sees of the rows, without what a version adds. */
async function seen(): Promise<string> {
  const common = `job, trajectory_id, task_id, purpose, policy_version`;
  return (
    (await run(
      `SELECT ${common}, step, tool, arguments, result, error, state_flags, plan_us, started_at FROM steps FINAL ORDER BY ALL FORMAT TSV`,
    )) +
    (await run(
      `SELECT ${common}, answer, reward, success, components, scored_at FROM trajectories FINAL ORDER BY ALL FORMAT TSV`,
    ))
  );
}

describe('rows', () => {
  it.each(migrations.map(({ version }) => version))(
    'of version %i are there after the newest, and after going back',
    async (version) => {
      await migrateDown(run, 0);
      await migrateUp(run, migrations.slice(0, version));
      await fill();
      const before = await seen();
      expect(before.trim().split('\n')).toHaveLength(12);
      expect(await migrateUp(run)).toEqual(migrations.slice(version).map((migration) => migration.version));
      expect(await seen()).toBe(before);
      // Migrations that were interrupted before they were written down are repeated.
      for (const migration of migrations.slice(version)) for (const statement of migration.up) await run(statement);
      expect(await seen()).toBe(before);
      const down = migrations.slice(version).map((migration) => migration.version);
      expect(await migrateDown(run, version)).toEqual(down.reverse());
      expect(await seen()).toBe(before);
      expect((await columnsOf('steps')).includes('round')).toBe(version >= 5);
    },
  );

  it.each(['up', 'down'] as const)(
    'survive a crash of 0005 on its way %s',
    async (way) => {
      const migration = migrations[4]!;
      const statements = migration[way];
      // Everything before an exchange is thrown away by the next attempt; what follows one is where rows could be lost.
      const ends = [...statements.keys()].filter((at) => way === 'up' || /^EXCHANGE/.test(statements[at]!));
      for (const last of ends) {
        await migrateDown(run, 0);
        await migrateUp(run, migrations.slice(0, way === 'up' ? 4 : 5));
        await fill();
        const before = await seen();
        for (const statement of statements.slice(0, last + 1)) await run(statement);
        if (way === 'up') expect(await migrateUp(run)).toContain(5);
        else expect(await migrateDown(run, 4)).toEqual([5]);
        expect(await seen(), statements[last]).toBe(before);
      }
    },
    90_000,
  );

  it('get their round from their id, and their times from their steps', async () => {
    await migrateDown(run, 0);
    await migrateUp(run, migrations.slice(0, 4));
    await fill();
    await migrateUp(run);
    const printed = await run(
      `SELECT trajectory_id, round, plan_us, tool_us FROM trajectories FINAL ORDER BY round FORMAT TabSeparated`,
    );
    expect(printed).toBe('job:7:t1:0:0\t7\t303\t30\njob:12:t2:0:1\t12\t303\t30\njob:trained@40:t3:0:0\t40\t303\t30\n');
  });
});

describe('columns', () => {
  it('each have a comment that says what they mean', async () => {
    const commented = async (): Promise<string[]> => {
      const names = Object.keys(TABLES).map((name) => `'${name}'`);
      const printed = await run(
        `SELECT table || '.' || name, comment FROM system.columns WHERE database = currentDatabase() AND table IN (${names.join(', ')}) FORMAT TabSeparated`,
      );
      return printed.split('\n').filter(Boolean);
    };
    await migrateUp(run);
    const columns = await commented();
    expect(columns.length).toBeGreaterThan(100);
    expect(columns.filter((line) => !/\t\S.{2,}/.test(line))).toEqual([]);
    await migrateDown(run, 7);
    expect((await commented()).filter((line) => !line.endsWith('\t'))).toEqual([]);
  });
});
