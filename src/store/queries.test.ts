import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { evaluationRow, jobEventRow, stepRow, T0, trajectoryRow } from './fixtures.ts';
import { namedQuery, QUERY_NAMES, queryParameters, queryText, type QueryName } from './queries.ts';
import { TABLE_NAMES, type StepRow, type TrajectoryRow } from '../records/tables.ts';

const path = mkdtempSync(join(tmpdir(), 'millrace-queries-'));
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

let inserts = 0;
async function insert({ steps = [], trajectories }: { steps?: StepRow[]; trajectories: TrajectoryRow[] }): Promise<void> {
  await store.insert('steps', encodeRows('steps', steps), `s${inserts}`);
  await store.insert('trajectories', encodeRows('trajectories', trajectories), `t${inserts++}`);
}

/** Rows by column name. */
async function ask(name: QueryName, given: Record<string, string> = {}): Promise<Record<string, unknown>[]> {
  const query = namedQuery(name);
  const { columns, rows } = await store.query(queryText(query, queryParameters(query, 'job', given)));
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column.name, row[i]])));
}

/** A group of trajectories of one task, one for each entry: whether it succeeded, and the tools it called, wrong ones with a "!". */
function group(
  round: number,
  task: string,
  members: [success: boolean, ...tools: string[]][],
  more: Partial<TrajectoryRow> = {},
) {
  const request_id = `job:${round}:${task}:0`;
  const won = members.filter(([success]) => success).length;
  const ids = members.map((_, member) => `${request_id}:${member}`);
  const common = { request_id, task_id: task, policy_version: round };
  return {
    trajectories: members.map(([success], member) =>
      trajectoryRow({
        ...common,
        trajectory_id: ids[member]!,
        member,
        success,
        reward: Number(success),
        verdict: won === 0 || won === members.length ? 'no_signal' : 'signal',
        ...more,
      }),
    ),
    steps: members.flatMap(([, ...tools], member) =>
      tools.map((tool, step) =>
        stepRow({
          ...common,
          trajectory_id: ids[member]!,
          step,
          tool: tool.replace('!', ''),
          error: tool.endsWith('!'),
          result: tool.endsWith('!') ? 'no such order' : 'done',
        }),
      ),
    ),
  };
}

describe('parameters', () => {
  it('have defaults in every query, and every file is a query', () => {
    const files = readdirSync(new URL('./queries/', import.meta.url))
      .filter((file) => !file.endsWith('.part.sql'))
      .map((file) => file.replace('.sql', ''));
    expect([...QUERY_NAMES].sort()).toEqual(files.sort());
    for (const name of QUERY_NAMES) {
      const { sql, template, parameters, title } = namedQuery(name);
      expect(title, name).toMatch(/^[A-Z].*\.$/);
      expect(
        [...sql.matchAll(/\{(\w+):/g)].every(([, parameter]) => parameter === 'job'),
        name,
      ).toBe(true);
      const used = new Set([...template.matchAll(/\{(\w+):(\w+)\}/g)].map(([, parameter, type]) => `${parameter}:${type}`));
      expect([...used].sort(), name).toEqual(['job:String', ...parameters.map((p) => `${p.name}:${p.type}`)].sort());
    }
  });

  it('say what is allowed when they are wrong', () => {
    const credit = namedQuery('credit');
    expect(queryParameters(credit, 'j')).toEqual({ job: 'j', rounds: '100', positions: '8' });
    expect(() => queryParameters(credit, 'j', { round: '3' })).toThrow(
      'query credit has no parameter "round"; use rounds, positions.',
    );
    expect(() => queryParameters(namedQuery('time'), 'j', { a: '3' })).toThrow('it takes the job alone');
    for (const rounds of ['many', '-1', '1.5', '4294967296', ''])
      expect(() => queryParameters(credit, 'j', { rounds })).toThrow('expected a whole number from 0 to 4294967295');
    expect(queryParameters(namedQuery('compare-versions'), 'j', { b: '-1' })).toMatchObject({ b: '-1' });
  });

  it('cannot leave their place in the statement', async () => {
    const query = namedQuery('compare-jobs');
    for (const other of ["it's", "\\' OR 1 = 1 --", '\\'])
      expect((await store.query(queryText(query, queryParameters(query, 'job', { other })))).rows).toEqual([]);
  });
});

describe('compare-versions', () => {
  const fill = async (sides: [version: number, successes: number, n: number][]): Promise<void> => {
    for (const [version, successes, n] of sides)
      await insert(
        group(
          version,
          `t${version}`,
          Array.from({ length: n }, (_, i) => [i < successes]),
        ),
      );
  };

  // Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17 (1998), table II,
  // method 10 (with a minus where the paper subtracts the other way).
  it.each([
    [56, 70, 48, 80, 0.2, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.6, 0.1705, 0.809],
    [6, 7, 2, 7, 0.5714, 0.0582, 0.8062],
    [5, 56, 0, 29, 0.0893, -0.0381, 0.1926],
    [0, 10, 0, 20, 0, -0.1611, 0.2775],
    [10, 10, 0, 10, 1, 0.6075, 1],
  ])('gives the published interval of %i/%i and %i/%i', async (...[s1, n1, s2, n2, difference, low, high]) => {
    await fill([
      [10, s2, n2],
      [20, s1, n1],
    ]);
    const [row] = await ask('compare-versions', { a: '10', b: '20', width: '1' });
    expect(row).toMatchObject({ purpose: 'train', trajectories_a: n2, trajectories_b: n1 });
    for (const [name, value] of Object.entries({ difference, low, high })) expect(row![name], name).toBeCloseTo(value, 3);
  });

  it("gives Wilson's interval of each side", async () => {
    // Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3: 81/263 and 15/148.
    await fill([
      [0, 81, 263],
      [1, 15, 148],
    ]);
    const [row] = await ask('compare-versions', { a: '0', b: '1', width: '1' });
    const expected = { low_a: 0.2553, high_a: 0.3662, low_b: 0.0624, high_b: 0.1605 };
    for (const [name, value] of Object.entries(expected)) expect(row![name], name).toBeCloseTo(value, 3);
  });

  it('takes the oldest and the newest versions by default, and nothing of a job without rows', async () => {
    expect(await ask('compare-versions')).toEqual([]);
    await fill([
      [0, 1, 4],
      [15, 1, 4],
      [30, 3, 4],
    ]);
    expect(await ask('compare-versions')).toMatchObject([
      { trajectories_a: 4, success_a: 0.25, trajectories_b: 4, success_b: 0.75 },
    ]);
  });

  it('and compare-jobs takes the newest evaluation of each and all of training', async () => {
    const evaluated = (job: string, version: number, success: boolean, task: string): TrajectoryRow =>
      trajectoryRow({
        job,
        trajectory_id: `${job}:trained@${version}:${task}:0:0`,
        purpose: 'evaluate',
        evaluation: `trained@${version}`,
        policy_version: version,
        success,
        reward: Number(success),
      });
    await insert({
      trajectories: [
        evaluated('job', 25, true, 'a'),
        evaluated('job', 50, false, 'a'),
        evaluated('job', 50, true, 'b'),
        evaluated('other', 75, true, 'a'),
        evaluated('other', 75, true, 'b'),
        trajectoryRow({ job: 'other', trajectory_id: 'other:0:a:0:0' }),
      ],
    });
    await insert(group(0, 'a', [[false], [true]]));
    expect(await ask('compare-jobs', { other: 'other' })).toMatchObject([
      { purpose: 'train', trajectories: 2, success: 0.5, trajectories_of_other: 1, difference: 0.5 },
      { purpose: 'evaluate', trajectories: 2, success: 0.5, trajectories_of_other: 2, success_of_other: 1, difference: 0.5 },
    ]);
  });
});

describe('credit', () => {
  it('is the success of those that called a tool over that of their group, in mixed groups alone', async () => {
    // By hand: in the first group 2 of 4 succeed, of the two that called "good" both: +1/2 each. In the second 1 of 4 succeeds, and
    // the one that called "good" did not: -1/4. The third group has no success, the fourth only successes: they say nothing.
    await insert(group(1, 'a', [[true, 'good'], [true, 'good', 'good'], [false, 'bad!'], [false]]));
    await insert(group(1, 'b', [[false, 'good'], [true], [false], [false]]));
    await insert(group(1, 'c', [[false, 'good'], [false]]));
    await insert(group(1, 'd', [[true, 'good'], [true]]));
    const rows = await ask('credit', { positions: '1' });
    const any = rows.filter(({ at }) => at === 'any');
    expect(any).toMatchObject([
      { tool: 'bad', error: true, groups: 1, trajectories: 1, success: 0, success_of_groups: 0.5, difference: -0.5 },
      { tool: 'good', error: false, groups: 2, trajectories: 3, success: 0.667, success_of_groups: 0.417, difference: 0.25 },
    ]);
    // z: (2 - 1 + 0 - 1/4) / sqrt(2·½·½·2/3 + 1·¼·¾·3/3) = 0.75 / sqrt(1/3 + 3/16); and -½ / sqrt(1·½·½·3/3).
    expect(any.map(({ z }) => z)).toEqual([-1, 1]);
    expect(0.75 / Math.sqrt(1 / 3 + 3 / 16)).toBeCloseTo(1.04, 2);
    expect(rows.filter(({ at }) => at === '1').map(({ tool, trajectories }) => [tool, trajectories])).toEqual([
      ['bad', 1],
      ['good', 3],
    ]);
  });

  it('looks at the newest rounds', async () => {
    await insert(group(1, 'a', [[true, 'old'], [false]]));
    await insert(group(9, 'b', [[true, 'new'], [false]]));
    expect(new Set((await ask('credit', { rounds: '8' })).map(({ tool }) => tool))).toEqual(new Set(['new']));
    expect(new Set((await ask('credit', { rounds: '9' })).map(({ tool }) => tool))).toEqual(new Set(['new', 'old']));
  });
});

describe('groups, tasks and types', () => {
  it('no-signal tells how the groups that taught nothing ended', async () => {
    await insert(group(0, 'a', [[true], [false]]));
    await insert(group(0, 'b', [[true], [true]]));
    await insert(group(0, 'c', [[false], [false]]));
    await insert(group(19, 'd', [[false], [false]], { verdict: 'failed', valid: false, failure: 'tool_timeout' }));
    expect(await ask('no-signal')).toMatchObject([
      {
        from_round: 0,
        groups: 3,
        signal: 1,
        all_succeeded: 1,
        none_succeeded: 1,
        otherwise_equal: 0,
        failed: 0,
        without_signal: 0.667,
      },
      { from_round: 19, groups: 1, signal: 0, all_succeeded: 0, none_succeeded: 0, failed: 1, without_signal: 1 },
    ]);
  });

  it('tasks puts those first whose success is nearest to a half', async () => {
    await insert(group(0, 'even', [[true], [false]], { task_type: 'x' }));
    await insert(group(0, 'easy', [[true], [true]]));
    const rows = await ask('tasks');
    expect(rows).toMatchObject([
      { task_id: 'even', task_type: 'x', groups: 1, trajectories: 2, succeeded: 1, success: 0.5, bits: 1, informative: 1 },
      { task_id: 'easy', task_type: '', success: 0.75, bits: 0.811, informative: 0 },
    ]);
    expect(await ask('tasks', { limit: '1' })).toHaveLength(1);
    expect((await store.query(`SELECT task_id, success FROM task_outcomes ORDER BY task_id`)).rows).toEqual([
      ['easy', 0.75],
      ['even', 0.5],
    ]);
  });

  it('success-by-type tells types apart, and failed trajectories are in no rate', async () => {
    await insert(group(0, 'a', [[true], [false]], { task_type: 'refund' }));
    await insert(group(0, 'b', [[true], [true]], { task_type: 'exchange' }));
    await insert(group(0, 'c', [[false]], { task_type: 'refund', valid: false }));
    expect(await ask('success-by-type')).toMatchObject([
      { task_type: 'exchange', tasks: 1, trajectories: 2, success_rate: 1 },
      { task_type: 'refund', tasks: 2, trajectories: 3, not_judged: 1, success_rate: 0.5 },
    ]);
  });
});

/** Interactions that another system logged, as `millrace import` stores them: no request, no verdict, an agent of their own. */
const imported = (task_id: string, rewards: number[], more: Partial<TrajectoryRow> = {}): TrajectoryRow[] =>
  rewards.map((reward, i) =>
    trajectoryRow({
      trajectory_id: `${task_id}-${i}`,
      request_id: '',
      task_id,
      agent: 'production',
      verdict: '',
      reward,
      success: reward > 0,
      ...more,
    }),
  );

describe('imported jobs', () => {
  it('have groups: those of a task, with the verdict that their rewards say', async () => {
    await insert({
      trajectories: [
        ...imported('a', [0, 1, 1]),
        ...imported('b', [1, 1]),
        ...imported('c', [0]),
        ...imported('d', [0], { valid: false }),
      ],
    });
    const groups = 'SELECT task_id, members, successes, verdict FROM group_outcomes ORDER BY task_id';
    expect((await store.query(groups)).rows).toEqual([
      ['a', 3, 2, 'signal'],
      ['b', 2, 2, 'no_signal'],
      ['c', 1, 0, 'no_signal'],
      ['d', 1, 0, 'failed'],
    ]);
    expect(await ask('no-signal')).toMatchObject([
      { groups: 4, signal: 1, all_succeeded: 1, none_succeeded: 1, otherwise_equal: 0, failed: 1, without_signal: 0.75 },
    ]);
    expect((await ask('tasks')).map(({ task_id, groups: n, succeeded }) => [task_id, n, succeeded])).toEqual([
      ['d', 1, 0],
      ['a', 1, 2],
      ['c', 1, 0],
      ['b', 1, 2],
    ]);
  });

  it('give credit within a task, not between tasks', async () => {
    const trajectories = [...imported('easy', [1, 1, 0]), ...imported('hard', [0, 0, 1])];
    const steps = trajectories
      .filter(({ task_id }) => task_id === 'easy')
      .map(({ trajectory_id }, i) => stepRow({ trajectory_id, request_id: '', task_id: 'easy', tool: i < 1 ? 'good' : 'other' }));
    await insert({ trajectories, steps });
    expect((await ask('credit', { positions: '0' })).map(({ tool, success_of_groups }) => [tool, success_of_groups])).toEqual([
      ['good', 0.667],
      ['other', 0.667],
    ]);
  });

  it('compare with others, whoever acted, and not with themselves', async () => {
    await insert({ trajectories: [...imported('a', [1, 1, 0, 1]), ...imported('a', [0, 1], { job: 'other', agent: 'policy' })] });
    expect(await ask('compare-jobs', { other: 'other' })).toMatchObject([
      { purpose: 'train', trajectories: 4, success: 0.75, trajectories_of_other: 2, success_of_other: 0.5, difference: -0.25 },
    ]);
    expect(await ask('compare-versions')).toEqual([]);
    expect(() => queryParameters(namedQuery('compare-jobs'), 'job')).toThrow('has to be told other: the job to compare with');
  });

  it('of which no version is like another are compared half by half', async () => {
    for (let version = 0; version < 5; version += 1)
      await insert({ trajectories: imported(`v${version}`, [Number(version > 2)], { policy_version: version }) });
    expect(await ask('compare-versions')).toMatchObject([{ trajectories_a: 2, success_a: 0, trajectories_b: 2, success_b: 1 }]);
    expect(await ask('compare-versions', { a: '0', b: '2', width: '3' })).toMatchObject([
      { trajectories_a: 3, trajectories_b: 3 },
    ]);
  });
});

describe('use', () => {
  it('cost sums tokens, money and times by day', async () => {
    const usage = { tokens_in: 800, tokens_out: 40, micro_dollars: 250_000, plan_us: 1_500_000, tool_us: 500_000, steps: 3 };
    await insert(group(0, 'a', [[true], [false]], usage));
    await insert(group(1, 'a', [[true]], { ...usage, scored_at: T0 + 86_400_000_000 }));
    expect(await ask('cost')).toEqual([
      {
        day: '2026-01-01',
        trajectories: 2,
        decisions: 6,
        planner_seconds: 3,
        tool_seconds: 1,
        tokens_in: 1600,
        tokens_out: 80,
        cost: 0.5,
      },
      {
        day: '2026-01-02',
        trajectories: 1,
        decisions: 3,
        planner_seconds: 1.5,
        tool_seconds: 0.5,
        tokens_in: 800,
        tokens_out: 40,
        cost: 0.25,
      },
    ]);
  });

  it('tool-errors counts what tools complain about, and tool_calls shows each call', async () => {
    await insert(
      group(3, 'a', [
        [true, 'get', 'get!'],
        [false, 'get!', 'put!'],
      ]),
    );
    expect(await ask('tool-errors')).toEqual([
      { tool: 'get', message: 'no such order', errors: 2, share: 0.667, tasks: 1 },
      { tool: 'put', message: 'no such order', errors: 1, share: 0.333, tasks: 1 },
    ]);
    const calls = await store.query(`SELECT tool, result, error, tool_ms, round FROM tool_calls WHERE step = 1 ORDER BY tool`);
    expect(calls.rows).toEqual([
      ['get', '', 'no such order', 0.5, 3],
      ['put', '', 'no such order', 0.5, 3],
    ]);
  });

  it('tools counts time-outs of all attempts once, beside calls and errors', async () => {
    const before = (await ask('tools')) as { tool: string; calls: number }[];
    const event = (id: string, purpose: string, tools: object): ReturnType<typeof jobEventRow> =>
      jobEventRow({ id: `tool-timeouts:${id}`, kind: 'tool-timeouts', data: JSON.stringify({ purpose, tools }) });
    const rows = [
      event('a', 'train', { get: 3, hang: 1 }),
      event('b', 'train', { hang: 2 }),
      event('c', 'evaluate', { hang: 9 }),
    ];
    for (const token of ['timeouts', 'again'])
      await store.insert(
        'job_events',
        encodeRows(
          'job_events',
          rows.map((row) => jobEventRow(row)),
        ),
        token,
      );
    expect(((await ask('tools')) as object[]).slice(0, 2)).toMatchObject([
      { tool: 'get', calls: before.find(({ tool }) => tool === 'get')?.calls ?? 0, timeouts: 3, groups_with_timeouts: 1 },
      { tool: 'hang', calls: 0, errors: 0, timeouts: 3, groups_with_timeouts: 2 },
    ]);
  });

  it('evaluations shows each with its interval, and failed flows are in no rate', async () => {
    await store.insert('evaluations', encodeRows('evaluations', [evaluationRow({ failed: 10 })]), 'e');
    const lost = (member: number, failure: string): ReturnType<typeof trajectoryRow> =>
      trajectoryRow({ trajectory_id: `lost:${member}`, purpose: 'evaluate', evaluation: 'trained@40', valid: false, failure });
    const rows = [lost(1, 'reward_failed'), lost(2, 'tool_timeout'), lost(3, 'reward_failed')];
    await store.insert('trajectories', encodeRows('trajectories', rows), 't');
    await store.insert('trajectories', encodeRows('trajectories', rows), 't again');
    expect(await ask('evaluations')).toMatchObject([
      { name: 'trained', tasks: 100, success: 1, low: 0.82, high: 0.95, judged: 90, not_judged: 10 },
    ]);
    expect(await ask('evaluations')).toMatchObject([{ failures: 'REWARD_FAILED 2, TOOL_TIMEOUT 1', incomplete: 1 }]);
  });
});

describe('rows of a build before 0005', () => {
  it('are taken with defaults for what they lack; shorter ones are not', async () => {
    const whole = encodeRows('trajectories', [trajectoryRow({ micro_dollars: 3_000_000 })]).toString();
    const values = JSON.parse(whole) as unknown[];
    const cut = (n: number): Buffer => Buffer.from(`${JSON.stringify(values.slice(0, n))}\n`);
    await store.insert('trajectories', cut(31), 'old');
    expect((await store.query('SELECT scored_at > started_at, plan_us, cost FROM trajectories')).rows).toEqual([[1, 0, 0]]);
    for (const length of [2, 10])
      await expect(store.insert('trajectories', cut(length), `cut ${length}`)).rejects.toMatchObject({
        code: 'invalid_argument',
      });
    expect((await store.query('SELECT count() FROM trajectories')).rows).toEqual([[1]]);
  });
});
