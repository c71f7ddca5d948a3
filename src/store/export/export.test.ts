import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../../errors.ts';
import { openEmbeddedStore } from '../embedded.ts';
import { encodeRows } from '../../records/encode.ts';
import { stepRow, T0, trajectoryRow } from '../fixtures.ts';
import type { Store } from '../store.ts';
import { decodeCursor, linesCursor } from './cursor.ts';
import { exportLines, exportIdentity } from './export.ts';
import type { ExportChunk, ExportRequest } from './export.ts';
import { exportFile } from './file.ts';
import { ExportFiles } from './files.ts';
import { importLines } from './import.ts';
import { entries } from './pages.ts';
import type { EntriesOptions } from './pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-export-'));
let store: Store;
const files = new ExportFiles(join(folder, 'exports'));

beforeAll(async () => {
  store = await openEmbeddedStore({ path: join(folder, 'clickhouse') });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  files.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const request = (
  job: string,
  more: Partial<ExportRequest & { pageSize: number }> = {},
): ExportRequest & { pageSize?: number } => ({
  format: 'jsonl',
  steps: false,
  filter: { job },
  ...more,
});

async function exported(asked: ExportRequest & { pageSize?: number }): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const { data } of exportLines(store, asked)) text += decoder.decode(data, { stream: true });
  return text;
}

/** `count` trajectories of `steps` steps, over several batches, some of them written twice. */
async function fill(job: string, count: number, steps: number): Promise<void> {
  const id = (n: number): string => `${job}:${String(n).padStart(5, '0')}`;
  const trajectories = Array.from({ length: count }, (_, n) =>
    trajectoryRow({
      job,
      trajectory_id: id(n),
      task_id: `t${n % 7}`,
      steps,
      policy_version: n % 10,
      success: n % 3 === 0,
      started_at: T0 + n,
    }),
  );
  const rows = trajectories.flatMap(({ trajectory_id }) =>
    Array.from({ length: steps }, (_, step) => stepRow({ job, trajectory_id, step, result: `${trajectory_id} ${step}` })),
  );
  await store.insert('steps', encodeRows('steps', rows), `${job}-s`);
  await store.insert('trajectories', encodeRows('trajectories', trajectories), `${job}-t`);
  await store.insert('trajectories', encodeRows('trajectories', trajectories.slice(0, 20)), `${job}-t2`);
}

describe('exportLines', () => {
  it('gives one interaction a trajectory, with its steps, in a fixed order of keys', async () => {
    const job = 'one';
    const seen = { state_before: '{"seen":0}', verified: true, other_actions: ['get(1)'], other_probabilities: [0.25] };
    const step = stepRow({ job, state_flags: Float32Array.of(0.5, NaN), ...seen, step_reward: 1, advantage: null });
    await store.insert('steps', encodeRows('steps', [step]), 'one-s');
    const row = trajectoryRow({ job, answer: '{"a":"ü\\n"}', components: { outcome: 1, effort: 0.1 } });
    await store.insert('trajectories', encodeRows('trajectories', [row]), 'one-t');
    expect(await exported(request(job))).toBe(
      `{"task_id":"t1","input":null,"response":"{\\"a\\":\\"ü\\\\n\\"}","score":1,"agent_id":"policy","adapter_version":0,` +
        `"timestamp":"2026-01-01T00:00:00.010000Z","metadata":{"job":"one","trajectory_id":"job:0:t1:0:0","request_id":"job:0:t1:0",` +
        `"sequence":0,"member":0,"purpose":"train","evaluation":"","dispatch_version":0,"step_count":1,"tool_errors":0,` +
        `"termination":"done","failure":"","failure_message":"","resamples":0,"outcome":1,"advantage":0.5,"success":true,"valid":true,` +
        `"verdict":"signal","components":{"effort":0.1,"outcome":1},"node":"rollout-1","reward_node":"reward-1",` +
        `"dispatched_at":"2026-01-01T00:00:00.000000Z","ended_at":"2026-01-01T00:00:00.030000Z","scored_at":"2026-01-01T00:00:00.035000Z",` +
        `"task_type":"","plan_us":1000,"tool_us":500,"tokens_in":0,"tokens_out":0,"cost":0,"micro_dollars":0,"adapter":"","experiment":"","arm":"",` +
        `"steps":[{"step":0,"tool":"find_user","items":[1,2],"arguments":"{\\"user\\":\\"ann\\"}","result":"ok","error":false,` +
        `"log_probability":-0.5,"entropy":1.25,"open_actions":7,"plan_us":1000,"tool_us":500,` +
        `"started_at":"2026-01-01T00:00:00.000000Z","state_flags":[0.5,"nan"],"decision":"choice","mistake":"","text":"",` +
        `"tokens_in":0,"tokens_out":0,"prompt":[],"tokens":[],"state_before":"{\\"seen\\":0}","state_after":"","verified":true,` +
        `"other_actions":["get(1)"],"other_probabilities":[0.25],"step_reward":1,"advantage":null,"messages":"","further_calls":[],"token_log_probabilities":[]}]}}\n`,
    );
    const [line] = (await exported(request(job, { steps: true }))).split('\n');
    expect(JSON.parse(line!)).toMatchObject({
      input: null,
      response: '{"tool":"find_user","arguments":{"user":"ann"}}',
      timestamp: '2026-01-01T00:00:00.000000Z',
      metadata: { answer: '{"a":"ü\\n"}', started_at: '2026-01-01T00:00:00.010000Z', step: { step: 0, tool: 'find_user' } },
    });
  });

  it('gives every trajectory once, in order, whatever the pages and chunks', async () => {
    await fill('paged', 250, 3);
    const whole = await exported(request('paged'));
    const lines = whole
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { metadata: { trajectory_id: string; steps: unknown[] } });
    const ids = lines.map(({ metadata }) => metadata.trajectory_id);
    expect(ids).toEqual(Array.from({ length: 250 }, (_, n) => `paged:${String(n).padStart(5, '0')}`));
    expect(lines.every(({ metadata }) => metadata.steps.length === 3)).toBe(true);
    for (const pageSize of [7, 50, 250, 251]) expect(await exported(request('paged', { pageSize }))).toBe(whole);
    expect(await exported(request('paged', { chunkBytes: 1000 }))).toBe(whole);
  });

  it('goes on after the cursor of any chunk, also within a long line', async () => {
    for (const steps of [false, true]) {
      const asked = request('paged', { chunkBytes: 700, pageSize: 40, steps });
      const chunks: ExportChunk[] = [];
      for await (const chunk of exportLines(store, asked)) chunks.push(chunk);
      expect(Math.max(...chunks.map(({ data }) => data.length))).toBeLessThanOrEqual(700);
      expect(chunks.at(-1)).toMatchObject({ done: 250, total: 250 });
      const whole = Buffer.concat(chunks.map(({ data }) => data)).toString();
      for (const stop of [0, 1, 500, chunks.length - 1]) {
        const before = Buffer.concat(chunks.slice(0, stop + 1).map(({ data }) => data)).toString();
        const rest: ExportRequest = { ...asked, cursor: chunks[stop]!.cursor };
        expect(before + (await exported(rest))).toBe(whole);
      }
    }
  }, 60_000);

  it('filters by everything there is to filter by', async () => {
    const count = async (filter: ExportRequest['filter']): Promise<number> =>
      (await exported(request('paged', { filter: { job: 'paged', ...filter } }))).split('\n').length - 1;
    expect(await count({ purpose: 'evaluate' })).toBe(0);
    expect(await count({ success: true })).toBe(84);
    expect(await count({ success: false })).toBe(166);
    expect(await count({ task: 't3' })).toBe(36);
    expect(await count({ minVersion: 2, maxVersion: 3 })).toBe(50);
    expect(await count({ from: T0 + 100, until: T0 + 110 })).toBe(10);
    expect(await count({ where: "policy_version = 1 OR task_id = 't3' -- a comment" })).toBe(57);
    expect(await count({ where: "trajectory_id IN (SELECT trajectory_id FROM steps WHERE result = 'paged:00007 2')" })).toBe(1);
    for (const where of [
      "file('/etc/passwd') = ''",
      "arrayMap(file, ['/etc/passwd'])[1] = ''",
      "task_id IN (SELECT * FROM url('http://127.0.0.1/'))",
      "task_id IN (SELECT * APPLY(file) FROM (SELECT '/etc/passwd'))",
      'task_id IN (SELECT name FROM system.users)',
    ]) {
      for (const format of ['jsonl', 'parquet'] as const) {
        const asked = request('paged', { format, filter: { job: 'paged', where } });
        const reading = format === 'jsonl' ? exported(asked) : exportFile(store, files, asked).next();
        await expect(reading, where).rejects.toMatchObject({ message: expect.stringContaining('query refused: ') as string });
      }
    }
    const wrong = exported(request('paged', { filter: { job: 'paged', where: 'nope = 1' } }));
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument', message: expect.stringContaining('nope') as string });
  });

  it('refuses a cursor of another export, and what is none', async () => {
    const [first] = await take(exportLines(store, request('paged')), 1);
    for (const cursor of ['nonsense', Buffer.from('{"of":3}').toString('base64url'), Buffer.from('null').toString('base64url')])
      await expect(exported(request('paged', { cursor })), cursor).rejects.toMatchObject({
        code: 'invalid_argument',
        field: 'cursor',
      });
    for (const other of [request('one'), request('paged', { steps: true })])
      await expect(exported({ ...other, cursor: first!.cursor })).rejects.toThrow(/another filter or format/);
    expect(decodeCursor(first!.cursor, exportIdentity(request('paged')), linesCursor)).toMatchObject({ done: first!.done });
  });

  it('asks the store for nothing more once its reader has left or is gone', async () => {
    let queries = 0;
    const counted = { ...store, query: (sql: string, options?: object) => ((queries += 1), store.query(sql, options)) } as Store;
    await take(exportLines(counted, request('paged', { pageSize: 10, chunkBytes: 4096 })), 2);
    expect(queries).toBeLessThan(8);
    const cancel = new AbortController();
    const stream = exportLines(store, request('paged', { pageSize: 10, chunkBytes: 4096, signal: cancel.signal }));
    await stream.next();
    cancel.abort();
    await expect(drain(stream)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('entries', () => {
  const read = async (from: Store, more: Partial<EntriesOptions> = {}): Promise<string> => {
    let text = '';
    for await (const entry of entries(from, { conditions: [`job = 'long'`], steps: false, ...more })) text += entry.text;
    return text;
  };
  /** The store with an eye on how many steps a query gives. */
  const watched = (look: (rows: number) => void): Store =>
    ({
      ...store,
      query: async (sql: string, options?: object) => {
        const result = await store.query(sql, options);
        if (sql.includes('FROM steps AS s')) look(result.rows.length);
        return result;
      },
    }) as Store;

  it('reads as many steps at once as their texts allow', async () => {
    await fill('long', 800, 10);
    const sizes = async (sliceLength?: number): Promise<number[]> => {
      const seen: number[] = [];
      expect(
        (
          await read(
            watched((rows) => seen.push(rows)),
            { sliceLength },
          )
        ).split('\n'),
      ).toHaveLength(801);
      return seen;
    };
    expect(await sizes()).toEqual([510, 1020, 2040, 4090, 340]);
    expect(Math.max(...(await sizes(1)))).toBe(510);
  });

  it('reads in halves what is too large for the store', async () => {
    const refused: number[] = [];
    const small = watched((rows) => {
      if (rows <= 200) return;
      refused.push(rows);
      throw new MillraceError('resource_exhausted', 'memory limit exceeded');
    });
    expect(await read(small)).toBe(await read(store));
    expect(refused.length).toBeGreaterThan(3);
  });
});

describe('exportFile', () => {
  const parquet = (job: string, more: Partial<ExportRequest> = {}): ExportRequest => request(job, { format: 'parquet', ...more });

  it('gives one Parquet file that the engine reads back, and goes on within it', async () => {
    const chunks: ExportChunk[] = [];
    for await (const chunk of exportFile(store, files, parquet('paged', { chunkBytes: 4096 }))) chunks.push(chunk);
    const whole = Buffer.concat(chunks.map(({ data }) => data));
    expect(whole.subarray(0, 4).toString()).toBe('PAR1');
    expect(chunks.at(-1)).toMatchObject({ done: whole.length, total: whole.length });
    const rest: Uint8Array[] = [];
    const again = parquet('paged', { chunkBytes: 4096, cursor: chunks[0]!.cursor });
    for await (const { data } of exportFile(store, files, again)) rest.push(data);
    expect(Buffer.concat([chunks[0]!.data, ...rest]).equals(whole)).toBe(true);
  });

  it('gives no file that is not whole, and says why where the engine says so', async () => {
    const ending = (text: string): Store =>
      ({ ...store, writeFile: (_: string, path: string) => Promise.resolve(writeFileSync(path, `PAR1${text}`)) }) as Store;
    const before = readdirSync(join(folder, 'exports'));
    for (const [text, message] of [
      [
        'Code: 241. DB::Exception: Memory limit exceeded: too much.\n',
        /no whole Parquet file \(Memory limit exceeded: too much\.\);/,
      ],
      ['half', /no whole Parquet file;/],
    ] as const)
      await expect(drain(exportFile(ending(text), files, parquet('one')))).rejects.toMatchObject({
        code: 'data_loss',
        message: expect.stringMatching(message) as string,
      });
    expect(readdirSync(join(folder, 'exports'))).toEqual(before);
  });

  it('says that a file is gone', async () => {
    const [chunk] = await take(exportFile(store, files, parquet('one')), 1);
    files.close();
    await expect(drain(exportFile(store, files, parquet('one', { cursor: chunk!.cursor })))).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('begin again') as string,
    });
  });

  it('ends the query in the engine when it is cancelled, and leaves no file', async () => {
    const cancel = new AbortController();
    const slow = parquet('paged', { filter: { job: 'paged', where: 'sleepEachRow(0.01) = 0' }, signal: cancel.signal });
    const ended = expect(drain(exportFile(store, files, slow))).rejects.toMatchObject({ code: 'cancelled' });
    const running = async (): Promise<unknown> =>
      (
        await store.query(
          `SELECT count() FROM system.processes WHERE query LIKE '%OUTFILE%' AND query NOT LIKE '%system.processes%'`,
        )
      ).rows[0]![0];
    await expect.poll(running).toBe(1);
    cancel.abort();
    await ended;
    expect(await running()).toBe(0);
    expect(existsSync(join(folder, 'exports')) ? readdirSync(join(folder, 'exports')) : []).toEqual([]);
  });
});

describe('a round trip', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom('', '\n', '\0', "'\\''", '\u2028', '{"millrace:interaction":1,'),
  );
  const anyJson = fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' });
  const float = fc.oneof(fc.float(), fc.constantFrom(-0, 1e-45, 3.4028234663852886e38));
  const micros = fc.integer({ min: 1, max: 4_102_444_800_000_000 }).map((us) => iso(us));
  const json = (value: number): number | string =>
    Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const aStep = fc.record(
    {
      tool: anyText,
      items: fc.array(fc.nat(65_535), { maxLength: 3 }),
      arguments: anyText,
      result: anyText,
      error: fc.boolean(),
      log_probability: float.map(json),
      plan_us: fc.nat(4_294_967_295),
      started_at: fc.option(micros),
      state_flags: fc.array(float.map(json), { maxLength: 3 }),
      decision: fc.constantFrom('choice', 'generated'),
      text: anyText,
      tokens: fc.array(fc.nat(4_294_967_295), { maxLength: 3 }),
    },
    { requiredKeys: ['tool'] },
  );
  const interaction = fc.record(
    {
      task_id: anyText,
      input: fc.option(anyText),
      response: anyText,
      score: fc.option(float.map(json)),
      agent_id: anyText,
      adapter_version: fc.nat(4_294_967_295),
      timestamp: fc.option(micros),
      metadata: fc.record(
        {
          trajectory_id: anyText.filter((id) => id !== ''),
          sequence: fc.oneof(fc.maxSafeNat(), fc.bigInt(0n, (1n << 64n) - 1n).map(String)),
          purpose: fc.constantFrom('train', 'evaluate'),
          success: fc.boolean(),
          valid: fc.boolean(),
          failure_message: anyText,
          components: fc.dictionary(anyText, float.map(json), { maxKeys: 3 }),
          steps: fc.array(aStep, { maxLength: 3 }),
          'a key of others': anyJson,
          '7': anyJson,
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['task_id', 'response', 'timestamp'] },
  );

  it('through the store leaves every byte of an export as it was', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(interaction, { minLength: 1, maxLength: 8, selector: (line) => line.metadata?.trajectory_id ?? line }),
        async (lines) => {
          run += 1;
          const job = `trip-${run}`;
          const imported = await importLines(
            store,
            lines.map((line) => JSON.stringify(line)),
            { job },
          );
          const first = await exported(request(job));
          expect(first.split('\n').length - 1).toBe(imported.trajectories);
          for (const line of lines) expect(first).toContain(`"response":${JSON.stringify(line.response)}`);
          const copy = `${job}-copy`;
          await importLines(store, first.trimEnd().split('\n'), { job: copy });
          expect((await exported(request(copy))).replaceAll(`"job":"${copy}"`, `"job":"${job}"`)).toBe(first);
          // Again into the same job: nothing changes.
          await importLines(store, first.trimEnd().split('\n'));
          expect(await exported(request(job))).toBe(first);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it('holds for lines of steps too', async () => {
    const steps = await exported(request('paged', { steps: true, filter: { job: 'paged', task: 't3' } }));
    await importLines(store, steps.trimEnd().split('\n'), { job: 'steps-copy' });
    expect((await exported(request('steps-copy', { steps: true }))).replaceAll('"job":"steps-copy"', '"job":"paged"')).toBe(
      steps,
    );
  });

  it('makes rows that every named query can read', async () => {
    const { QUERY_NAMES, namedQuery } = await import('../queries.ts');
    const line = {
      task_id: 'a',
      response: 'b',
      score: 1,
      timestamp: '2026-01-01T00:00:00Z',
      metadata: { steps: [{ tool: 'ask' }] },
    };
    expect(await importLines(store, [JSON.stringify(line)], { job: 'foreign' })).toEqual({ trajectories: 1, steps: 1 });
    for (const name of QUERY_NAMES) await store.query(namedQuery(name).sql, { parameters: { job: 'foreign' } });
    const { rows } = await store.query(namedQuery('success-by-version').sql, { parameters: { job: 'foreign' } });
    expect(rows).toEqual([[0, 0, 1, 0, 1, 1, 1]]);
  });
});

const iso = (us: number): string =>
  `${new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19)}.${String(us % 1e6).padStart(6, '0')}Z`;

async function take<T>(from: AsyncGenerator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const each of from) {
    taken.push(each);
    if (taken.length === count) break;
  }
  return taken;
}

async function drain(from: AsyncGenerator<unknown>): Promise<void> {
  for await (const each of from) void each;
}
