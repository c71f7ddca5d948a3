import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeRows } from '../records/encode.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { spendingRow, trajectoryRow } from './fixtures.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-money-'));
let store: ClickHouseStore;
beforeAll(async () => {
  store = new ClickHouseStore(await EmbeddedEngine.open(path, 1024 * 1024 * 1024), { threads: 1 });
  await store.migrate();
});
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});

it('rows of a build that knew dollars alone say what they cost in micro-dollars', async () => {
  const values = JSON.parse(
    encodeRows('trajectories', [trajectoryRow({ job: 'old', micro_dollars: 2100 })]).toString(),
  ) as unknown[];
  await store.insert('trajectories', Buffer.from(`${JSON.stringify(values.slice(0, 37))}\n`), 'old');
  expect((await store.query(`SELECT cost, micro_dollars FROM trajectories WHERE job = 'old'`)).rows).toEqual([[0.0021, 2100]]);
});

it('job_costs says what a job was charged and how much of it is in no trajectory', async () => {
  const spend = (micro_dollars: number, month: string, token: string) =>
    store.insert(
      'spending',
      encodeRows('spending', [spendingRow({ job: 'j', owner: 'ann', month, micro_dollars, tokens: 5 })]),
      token,
    );
  // The row with most is the newest, whenever it comes.
  await spend(900, '2026-11', 'a');
  await spend(400, '2026-11', 'b');
  await spend(100, '2026-12', 'c');
  const rows = [0, 1].map((member) => trajectoryRow({ job: 'j', trajectory_id: `j:0:t:${member}`, micro_dollars: 300 }));
  for (const token of ['d', 'e']) await store.insert('trajectories', encodeRows('trajectories', rows), token);
  expect((await store.query(`SELECT * FROM job_costs WHERE job = 'j'`)).rows).toEqual([['j', 'ann', 1000, 600, 400, 10]]);
  expect((await store.query(`SELECT sum(micro_dollars) FROM spending FINAL WHERE owner = 'ann'`)).rows).toEqual([[1000]]);
});
