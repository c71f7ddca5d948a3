import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRows } from '../records/encode.ts';
import {
  callRow,
  evaluationRow,
  experimentDecisionRow,
  experimentOutcomeRow,
  explorationRow,
  jobEventRow,
  policyCheckpointRow,
  spendingRow,
  stepRow,
  T0,
  trainingJobRow,
  trajectoryRow,
  updateRow,
} from './fixtures.ts';
import { isPacked, joinRows, packRows } from '../records/pack.ts';
import type { Store } from './store.ts';
import { TABLES, TABLE_NAMES } from '../records/tables.ts';

/** What every Store must do. `open` gives an empty one; it is closed at the end. */
export function storeConformance(name: string, open: () => Promise<Store>): void {
  describe(`${name} is a Store`, () => {
    let store: Store;
    beforeAll(async () => {
      store = await open();
      expect((await store.migrate()).length).toBeGreaterThan(0);
    });
    afterAll(() => store.close());

    const count = async (table: string, job: string): Promise<unknown> =>
      (await store.query(`SELECT count() FROM ${table} WHERE job = {job:String}`, { parameters: { job } })).rows[0]?.[0];

    it('migrates once', async () => {
      expect(await store.migrate()).toEqual([]);
    });

    it('takes rows of every table and gives their columns back', async () => {
      const job = 'every-table';
      await store.insert('steps', encodeRows('steps', [stepRow({ job })]), 'a1');
      await store.insert('trajectories', encodeRows('trajectories', [trajectoryRow({ job })]), 'a2');
      await store.insert('updates', encodeRows('updates', [updateRow({ job })]), 'a3');
      await store.insert('evaluations', encodeRows('evaluations', [evaluationRow({ job })]), 'a4');
      await store.insert('job_events', encodeRows('job_events', [jobEventRow({ job })]), 'a5');
      await store.insert('exploration', encodeRows('exploration', [explorationRow({ job })]), 'a6');
      await store.insert('spending', encodeRows('spending', [spendingRow({ job })]), 'a7');
      await store.insert('training_jobs', encodeRows('training_jobs', [trainingJobRow({ job })]), 'a8');
      await store.insert('policy_checkpoints', encodeRows('policy_checkpoints', [policyCheckpointRow({ job })]), 'a9');
      await store.insert('experiment_outcomes', encodeRows('experiment_outcomes', [experimentOutcomeRow({ job })]), 'a10');
      await store.insert('experiment_decisions', encodeRows('experiment_decisions', [experimentDecisionRow({ job })]), 'a11');
      await store.insert('calls', encodeRows('calls', [callRow({ job })]), 'a12');
      for (const table of TABLE_NAMES) {
        expect(await count(table, job), table).toBe(1);
        const { columns } = await store.query(`SELECT * FROM ${table} WHERE job = 'every-table'`);
        const wanted = TABLES[table].columns.map((column) => column.replace('_base64', ''));
        expect(
          columns.map((column) => column.name).filter((column) => column !== 'ingested_at'),
          table,
        ).toEqual(wanted);
      }
      const step = await store.query(
        `SELECT tool, items, arguments, error, step, policy_version FROM steps WHERE job = '${job}'`,
      );
      expect(step.rows).toEqual([['find_user', [1, 2], '{"user":"ann"}', false, 0, 0]]);
      const trajectory = await store.query(`SELECT success, components, reward FROM trajectories WHERE job = '${job}'`);
      expect(trajectory.rows).toEqual([[true, { outcome: 1 }, 1]]);
      const evaluation = await store.query(`SELECT ci_low, trajectories FROM evaluations WHERE job = '${job}'`);
      expect(evaluation.rows).toEqual([[0.82, 5120]]);
    });

    it('shows one row a natural key, however often it comes and however it is batched', async () => {
      const rows = [0, 1, 2, 3].map((step) => stepRow({ job: 'again', step }));
      await store.insert('steps', encodeRows('steps', rows), 'b1');
      await store.insert('steps', encodeRows('steps', rows), 'b1');
      await store.insert('steps', encodeRows('steps', rows.slice(1, 3)), 'b2');
      await store.insert('steps', encodeRows('steps', [...rows, ...rows]), 'b3');
      expect(await count('steps', 'again')).toBe(4);
    });

    it('keeps the newest of two rows with one key', async () => {
      await store.insert('steps', encodeRows('steps', [stepRow({ job: 'newest', tool: 'old' })]), 'c1');
      await store.insert('steps', encodeRows('steps', [stepRow({ job: 'newest', tool: 'new' })]), 'c2');
      expect((await store.query(`SELECT tool FROM steps WHERE job = 'newest'`)).rows).toEqual([['new']]);
    });

    it('gives vectors back that came as base64', async () => {
      const state_flags = Float32Array.from([0.1, -2.5, 3e-8]);
      await store.insert('steps', encodeRows('steps', [stepRow({ job: 'vectors', state_flags })]), 'd1');
      const { rows } = await store.query(`SELECT state_flags FROM steps WHERE job = 'vectors'`);
      expect(Float32Array.from(rows[0]![0] as number[])).toEqual(state_flags);
    });

    it('keeps choices and generated decisions side by side', async () => {
      const tokens = [0, 128_000, 2 ** 32 - 1];
      const said = {
        decision: 'generated',
        mistake: 'no_call',
        text: 'hm',
        tokens_in: 5,
        tokens_out: 3,
        prompt: [4, 5],
        tokens,
      } as const;
      const rows = [
        stepRow({ job: 'said', step: 0 }),
        stepRow({ job: 'said', step: 1, ...said }),
        stepRow({ job: 'said', step: 2 }),
      ];
      await store.insert('steps', encodeRows('steps', rows), 'said');
      const read = await store.query(
        `SELECT decision, mistake, text, tokens_in, tokens_out, prompt, tokens FROM steps WHERE job = 'said' ORDER BY step`,
      );
      const chosen = ['choice', '', '', 0, 0, [], []];
      expect(read.rows).toEqual([chosen, ['generated', 'no_call', 'hm', 5, 3, [4, 5], tokens], chosen]);
    });

    it('keeps what a step saw and what it was worth, also of rows that end before', async () => {
      const seen = {
        state_before: '{"a":"ü\\n"}',
        verified: true,
        other_actions: ['get(1)', 'end'],
        other_probabilities: [0.5, 0],
      };
      const rows = [
        stepRow({ job: 'seen', step: 0, ...seen, state_after: '[1]', step_reward: 0.25, advantage: -1.5 }),
        stepRow({ job: 'seen', step: 1, verified: false }),
        stepRow({ job: 'seen', step: 2, step_reward: null, advantage: null }),
        stepRow({ job: 'seen', step: 3 }),
      ];
      await store.insert('steps', encodeRows('steps', rows), 'seen');
      const read = await store.query(
        `SELECT state_before, state_after, verified, other_actions, other_probabilities, step_reward, advantage FROM steps WHERE job = 'seen' ORDER BY step`,
      );
      const none = ['', '', false, [], [], null, null];
      expect(read.rows).toEqual([['{"a":"ü\\n"}', '[1]', true, ['get(1)', 'end'], [0.5, 0], 0.25, -1.5], none, none, none]);
    });

    it('has one row of a call, that of its end, whatever comes first and however often', async () => {
      const job = 'called';
      const started = callRow({ job, status: 'started', response: '', ended_at: 0, at: T0 });
      for (const [i, row] of [started, callRow({ job }), started].entries())
        await store.insert('calls', encodeRows('calls', [row]), `call ${i}`);
      const { rows } = await store.query(`SELECT status, response, request FROM calls WHERE job = '${job}'`);
      expect(rows).toEqual([['completed', '{"choices":[]}', '{"messages":[]}']]);
    });

    it('keeps the latest row of a job and of a checkpoint, in whatever order they come', async () => {
      const job = 'changing';
      const states = [
        { state: 'RUNNING', at: T0 + 20 },
        { state: 'SUCCEEDED', at: T0 + 30 },
        { state: 'QUEUED', at: T0 + 10 },
      ];
      for (const [i, row] of [...states, states[0]!].entries())
        await store.insert('training_jobs', encodeRows('training_jobs', [trainingJobRow({ job, ...row })]), `job ${i}`);
      expect((await store.query(`SELECT state FROM training_jobs WHERE job = '${job}'`)).rows).toEqual([['SUCCEEDED']]);
      const checkpoints = [2, 1].map((n) => policyCheckpointRow({ job, digest: String(n).repeat(64), written_at: T0 + n }));
      for (const [i, row] of checkpoints.entries())
        await store.insert('policy_checkpoints', encodeRows('policy_checkpoints', [row]), `checkpoint ${i}`);
      expect((await store.query(`SELECT digest FROM policy_checkpoints WHERE job = '${job}'`)).rows).toEqual([['2'.repeat(64)]]);
    });

    it('refuses rows that are no rows, and takes none of the block', async () => {
      const good = encodeRows('steps', [stepRow({ job: 'bad' })]);
      for (const bad of ['[1,2]\n', 'nonsense\n', '{"job":"bad"}\n']) {
        const block = Buffer.concat([good, Buffer.from(bad)]);
        await expect(store.insert('steps', block, `e${bad}`)).rejects.toMatchObject({ code: 'invalid_argument' });
      }
      expect(await count('steps', 'bad')).toBe(0);
      await store.insert('steps', good, 'e2');
      expect(await count('steps', 'bad')).toBe(1);
    });

    it('takes packed rows, also several blocks of them joined with blocks that are not', async () => {
      const block = (from: number, count: number): Uint8Array =>
        packRows(
          encodeRows(
            'steps',
            Array.from({ length: count }, (_, i) =>
              stepRow({ job: 'packed', step: from + i, state_flags: Float32Array.of(from + i), result: '"ü"\n\\' }),
            ),
          ),
        );
      const blocks = [block(0, 40), block(40, 1), block(41, 60)];
      expect(blocks.map(isPacked)).toEqual([true, false, true]);
      const rows = joinRows(blocks);
      await store.insert('steps', rows, 'p1');
      await store.insert('steps', rows, 'p1');
      expect(await count('steps', 'packed')).toBe(101);
      const read = await store.query(`SELECT step, state_flags, result FROM steps WHERE job = 'packed' ORDER BY step`);
      expect(read.rows).toEqual(Array.from({ length: 101 }, (_, step) => [step, [step], '"ü"\n\\']));
    });

    it('refuses packed rows that are damaged or no rows, and takes none of the block', async () => {
      const good = packRows(
        encodeRows(
          'steps',
          Array.from({ length: 40 }, (_, step) => stepRow({ job: 'damaged', step })),
        ),
      );
      const flipped = Uint8Array.from(good, (byte, at) => (at === 100 ? byte ^ 0xff : byte));
      for (const bad of [good.subarray(0, good.length - 9), flipped, packRows(Buffer.from('nonsense\n'.repeat(200)))]) {
        await expect(store.insert('steps', joinRows([good, bad]), `q${bad.length}`)).rejects.toMatchObject({
          code: 'invalid_argument',
        });
      }
      expect(await count('steps', 'damaged')).toBe(0);
      await store.insert('steps', joinRows([good]), 'q');
      expect(await count('steps', 'damaged')).toBe(40);
    });

    it('inserts nothing for an empty block', async () => {
      await store.insert('steps', new Uint8Array(0), 'f1');
      expect(await count('steps', 'empty')).toBe(0);
    });

    it('cuts a result at maxRows and says so', async () => {
      const rows = [0, 1, 2, 3, 4].map((step) => stepRow({ job: 'many', step }));
      await store.insert('steps', encodeRows('steps', rows), 'g1');
      const sql = `SELECT step FROM steps WHERE job = 'many' ORDER BY step`;
      expect(await store.query(sql, { maxRows: 3 })).toMatchObject({ rows: [[0], [1], [2]], truncated: true });
      expect(await store.query(sql, { maxRows: 5 })).toMatchObject({ rows: [[0], [1], [2], [3], [4]], truncated: false });
    });

    it('takes any text as the value of a parameter', async () => {
      const texts = [
        "it's",
        'back\\slash \\N \\t',
        'tab\t line\n return\r',
        '☃ 漢字 \u{1f600}',
        "'; DROP TABLE steps; --",
        '{job:String}',
        '',
      ];
      const rows = texts.map((job, step) => stepRow({ job, step, tool: `t${step}` }));
      await store.insert('steps', encodeRows('steps', rows), 'texts');
      for (const [step, job] of texts.entries()) {
        const { rows: found } = await store.query('SELECT tool FROM steps WHERE job = {job:String}', { parameters: { job } });
        expect(found, JSON.stringify(job)).toEqual([[`t${step}`]]);
      }
    });

    it('keeps the parameters of queries apart that run at once', async () => {
      const jobs = Array.from({ length: 24 }, (_, i) => `apart-${i}`);
      const rows = jobs.flatMap((job, i) => Array.from({ length: i }, (_, step) => stepRow({ job, step })));
      await store.insert('steps', encodeRows('steps', rows), 'apart');
      expect(await Promise.all(jobs.map((job) => count('steps', job)))).toEqual(jobs.map((_, i) => i));
    });

    it('refuses what is not one read-only statement, and names wrong ones', async () => {
      for (const sql of [
        'DROP TABLE steps',
        'SELECT 1; DROP TABLE steps',
        'TRUNCATE TABLE steps',
        'INSERT INTO steps (job) VALUES (1)',
        'SELECT * FROM steps FORMAT JSON',
        "SELECT * FROM steps INTO OUTFILE '/tmp/x'",
        '',
      ]) {
        await expect(store.query(sql), sql).rejects.toMatchObject({ code: 'invalid_argument' });
      }
      // A store without SQL does not know them at all; a server may say so itself.
      const code = expect.stringMatching(/^(?:invalid_argument|unimplemented|permission_denied)$/) as string;
      for (const sql of [
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM url('http://127.0.0.1/', 'LineAsString')",
        "SELECT arrayMap(file, ['/etc/passwd'])",
        "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
      ]) {
        await expect(store.query(sql), sql).rejects.toMatchObject({ code });
      }
      await expect(store.query('SELECT nope FROM steps')).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining('nope') as string,
      });
    });

    it('does not start a query that is cancelled already', async () => {
      const signal = AbortSignal.abort();
      await expect(store.query('SELECT count() FROM steps', { signal })).rejects.toMatchObject({ code: 'cancelled' });
    });
  });

  describe(`${name}, closed`, () => {
    it('refuses work; closing twice is one close', async () => {
      const store = await open();
      await store.migrate();
      await store.close();
      await store.close();
      await expect(store.query('SELECT count() FROM steps')).rejects.toMatchObject({ code: 'failed_precondition' });
      await expect(store.insert('steps', encodeRows('steps', [stepRow()]), 'x')).rejects.toMatchObject({
        code: 'failed_precondition',
      });
    });
  });
}
