import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { trajectoryRow } from './fixtures.ts';
import { namedQuery, queryParameters, queryText, type QueryName } from './queries.ts';
import type { TrajectoryRow } from '../records/tables.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-rates-'));
let store: ClickHouseStore;

/** Version 0: one of two judged succeeded, one was lost. Version 1: one of one, three lost. Version 2: all were lost. */
beforeAll(async () => {
  store = new ClickHouseStore(await EmbeddedEngine.open(path, 1024 * 1024 * 1024), { threads: 1 });
  await store.migrate();
  const won = { success: true, reward: 1 };
  const lost = { success: false, reward: 0, valid: false, failure: 'env_crash' };
  const failed = { success: false, reward: 0 };
  const versions: Partial<TrajectoryRow>[][] = [
    [won, failed, lost],
    [won, lost, lost, lost],
    [lost, lost],
  ];
  const rows = versions.flatMap((members, version) =>
    members.map((more, i) =>
      trajectoryRow({ ...more, trajectory_id: `job:${version}:t:0:${i}`, policy_version: version, task_type: `type ${version}` }),
    ),
  );
  const others = [won, lost, lost].map((more, i) => trajectoryRow({ ...more, job: 'other', trajectory_id: `other:0:t:0:${i}` }));
  await store.insert('trajectories', encodeRows('trajectories', [...rows, ...others]), 'rows');
});
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

it.each<[QueryName, Record<string, string>, object[]]>([
  [
    'success-by-version',
    {},
    [
      { trajectories: 3, not_judged: 1, success: 0.5, reward: 0.5 },
      { trajectories: 4, not_judged: 3, success: 1, reward: 1 },
      { trajectories: 2, not_judged: 2, success: null, reward: null, steps: null },
    ],
  ],
  [
    'success-by-type',
    {},
    [
      { trajectories: 3, not_judged: 1, success_rate: 0.5, reward_mean: 0.5 },
      { trajectories: 4, not_judged: 3, success_rate: 1, reward_mean: 1 },
      { trajectories: 2, not_judged: 2, success_rate: null, reward_mean: null, steps_mean: null },
    ],
  ],
  [
    'compare-versions',
    { a: '0', b: '1', width: '1' },
    [
      {
        trajectories_a: 2,
        not_judged_a: 1,
        success_a: 0.5,
        trajectories_b: 1,
        not_judged_b: 3,
        success_b: 1,
        reward_difference: 0.5,
      },
    ],
  ],
  [
    'compare-jobs',
    { other: 'other' },
    [{ trajectories: 3, not_judged: 6, success: 0.6667, trajectories_of_other: 1, not_judged_of_other: 2, success_of_other: 1 }],
  ],
])('%s gives rates of what was judged, and says how much was not', async (name, given, expected) => {
  const query = namedQuery(name);
  const { columns, rows } = await store.query(queryText(query, queryParameters(query, 'job', given)));
  const named = rows.map((row) => Object.fromEntries(columns.map((column, i) => [column.name, row[i]])));
  expect(named).toMatchObject(expected);
});
