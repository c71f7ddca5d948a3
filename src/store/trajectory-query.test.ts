import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow, trajectoryRow } from './fixtures.ts';
import { namedQuery, queryParameters, queryText } from './queries.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-trajectory-'));
let engine: EmbeddedEngine;
let store: ClickHouseStore;

/** Rows by column name. */
async function ask(given: Record<string, string> = {}): Promise<Record<string, unknown>[]> {
  const query = namedQuery('trajectory');
  const { columns, rows } = await store.query(queryText(query, queryParameters(query, 'job', given)));
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column.name, row[i]])));
}

describe('trajectory', () => {
  const steps = ['won', 'lost', 'late'].flatMap((name, at) =>
    [0, 1, 2].map((step) =>
      stepRow({
        trajectory_id: `job:${at}:t:0:${name}`,
        step,
        tool: `${name}${step}`,
        log_probability: Math.log(0.25),
        state_before: step === 0 ? `{"${name}":0}` : '',
        state_after: step === 1 ? '' : `{"${name}":${step + 1}}`,
        verified: step === 2,
        other_actions: ['a', 'b(1)'],
        other_probabilities: [0.5, 0.25],
        step_reward: step === 2 ? at : 0,
        advantage: step === 2 ? null : -0.5,
      }),
    ),
  );
  const ids = { won: 'job:0:t:0:won', lost: 'job:1:t:0:lost', late: 'job:2:t:0:late' };
  beforeAll(async () => {
    engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
    store = new ClickHouseStore(engine, { threads: 1 });
    await store.migrate();
    const trajectories = Object.values(ids).map((trajectory_id, i) => trajectoryRow({ trajectory_id, success: i !== 1 }));
    await store.insert('steps', encodeRows('steps', steps), 'steps');
    await store.insert('steps', encodeRows('steps', steps.slice(0, 4)), 'some again');
    await store.insert('trajectories', encodeRows('trajectories', trajectories), 'trajectories');
  });
  afterAll(async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });

  it('shows the states around each step, the action, and what it was worth', async () => {
    const shown = await ask({ trajectory: ids.won });
    const common = { trajectory: ids.won, probability: 0.25, others: 'a 0.5, b(1) 0.25', wrote: '' };
    expect(shown).toMatchObject([
      {
        ...common,
        step: 0,
        state: '{"won":0}',
        state_after: '{"won":1}',
        tool: 'won0',
        reward: 0,
        advantage: -0.5,
        verified: false,
      },
      { ...common, step: 1, state: '{"won":1}', state_after: '{"won":1}', tool: 'won1' },
      { ...common, step: 2, state: '{"won":1}', state_after: '{"won":3}', tool: 'won2', advantage: null, verified: true },
    ]);
  });

  it('is the newest that failed, or that succeeded, where no id is given', async () => {
    expect((await ask()).map(({ tool }) => tool)).toEqual(['lost0', 'lost1', 'lost2']);
    expect((await ask({ trajectory: 'succeeded' })).map(({ tool }) => tool)).toEqual(['late0', 'late1', 'late2']);
    expect(await ask({ trajectory: 'job:9:none' })).toEqual([]);
  });

  it('reads the rows of that trajectory alone, also through the view', async () => {
    const plan = await engine.run(
      `EXPLAIN actions = 1 SELECT * FROM step_states WHERE job = 'job' AND trajectory_id = '${ids.won}' FORMAT TSVRaw`,
    );
    // The filter is below the window.
    expect(plan.lastIndexOf('Filter')).toBeGreaterThan(plan.indexOf('Window'));
  });
});
