import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { comparePaired } from '../algo/stats/comparison.ts';
import { encodeRows } from '../records/encode.ts';
import type { TrajectoryRow } from '../records/tables.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { trajectoryRow } from './fixtures.ts';
import { namedQuery, queryParameters, queryText } from './queries.ts';

it('paired gives the evidence that the job was decided by, from the trajectories alone', async () => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-paired-'));
  const store = new ClickHouseStore(await EmbeddedEngine.open(path, 1024 * 1024 * 1024), { threads: 1 });
  try {
    await store.migrate();
    const flow = (evaluation: string, [task, member]: [number, number], success: boolean, valid = true): TrajectoryRow =>
      trajectoryRow({
        ...{ trajectory_id: `job:${evaluation}:t${task}:0:${member}`, member, task_id: `t${task}`, purpose: 'evaluate' },
        ...{ evaluation, policy_version: Number(evaluation.split('@')[1]), success, valid },
      });
    const tasks = Array.from({ length: 30 }, (_, task) => task);
    const rows = tasks.flatMap((task) => [
      flow('test-untrained@0', [task, 0], task < 6),
      flow('test-trained@20', [task, 0], task >= 4, task !== 29),
      // Two flows of one task are one pair.
      flow('trained@10', [task, 0], task < 12),
      flow('trained@10', [task, 1], task < 18),
    ]);
    await store.insert('trajectories', encodeRows('trajectories', rows), 'rows');
    const ask = async (given: Record<string, string>) => {
      const query = namedQuery('paired');
      const { columns, rows: found } = await store.query(queryText(query, queryParameters(query, 'job', given)));
      return found.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
    };
    const judged = tasks.slice(0, 29);
    const own = comparePaired(
      judged.map((task) => Number(task >= 4)),
      judged.map((task) => Number(task < 6)),
    );
    expect(await ask({})).toEqual([
      {
        ...{ candidate: 'test-trained@20', baseline: 'test-untrained@0', tasks: 29, wins: own.wins, losses: own.losses },
        ...{ difference: expect.closeTo(own.difference, 4) as number, evidence: expect.closeTo(own.evidence, 6) as number },
        ...{ threshold: 20, decision: own.decision },
      },
    ]);
    const often = await ask({ candidate: 'trained', candidates: '3' });
    expect(often).toMatchObject([{ candidate: 'trained@10', tasks: 30, wins: 12, losses: 0, threshold: 60, decision: 'better' }]);
  } finally {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  }
});
