import fc from 'fast-check';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../clock/system.ts';
import { VirtualClock } from '../clock/virtual.ts';
import type { FlowDefinition, Loaded } from '../flow/define.ts';
import { parcelFlow } from '../flow/fixtures/parcels.ts';
import { RetryLater } from '../flow/retry-later.ts';
import { loadTasks as load, MAX_TASK_BYTES, type LoadTasksOptions } from './load.ts';
import type { LoadProgress } from './progress.ts';
import { taskAt } from '../jobs/task-order.ts';
import { ListSplitter } from './elements.ts';
import { MAX_FILE_BYTES, MAX_TASKS, readTasks } from './read.ts';
import { splitTasks } from './split.ts';

type AnyFlow = FlowDefinition<any, any>;
const loadTasks = (flow: AnyFlow, options: Partial<LoadTasksOptions> = {}): ReturnType<typeof load> =>
  load(flow, { clock: systemClock, ...options });
const flowWith = (loaded: unknown, parts: Partial<AnyFlow> = {}): AnyFlow => ({
  ...(parcelFlow() as AnyFlow),
  task: z.object({ id: z.string(), size: z.enum(['small', 'large']) }),
  load: () => loaded as Loaded<never>,
  ...parts,
});
const good = (id: string) => ({ id, size: 'small' });

describe('loadTasks', () => {
  it('gives tasks as they were read, with ids, keys and origins', async () => {
    const flow = flowWith(
      { tasks: [{ n: 1 }, { n: 2 }], origins: ['a:1', 'a:2'], context: 'world' },
      {
        task: z.object({ n: z.number().transform((n) => ({ n })) }),
        id: (task) => task.n.n,
        splitKey: (task) => `key ${task.n.n}`,
      },
    );
    expect(await loadTasks(flow)).toEqual({
      tasks: [
        { id: '1', key: 'key 1', json: '{"n":1}', origin: 'a:1' },
        { id: '2', key: 'key 2', json: '{"n":2}', origin: 'a:2' },
      ],
      context: 'world',
    });
  });

  it('asks the flow with data, options and seed', async () => {
    let asked: unknown;
    const flow = flowWith(undefined, { load: (source) => ((asked = source), { tasks: [good('a')] }) });
    await loadTasks(flow, { data: '/d', options: { n: 1 }, seed: 9 });
    expect(asked).toEqual({ data: '/d', options: { n: 1 }, seed: 9 });
  });

  it('names place, field, allowed values and what was there', async () => {
    const tasks = [good('a'), { id: 'b', size: 'huge' }, { size: 'small' }];
    const wrong = loadTasks(flowWith({ tasks, origins: ['t.json:1', 't.json:5', 't.json:9'] }));
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument', field: 'tasks[1].size' });
    await expect(wrong).rejects.toThrow(/2 of 3 tasks/);
    await expect(wrong).rejects.toThrow(/t\.json:5 \(task 1\): field size: expected one of small, large \(got "huge"\)/);
    await expect(wrong).rejects.toThrow(/t\.json:9 \(task 2\): field id: is missing: expected text/);
    const many = loadTasks(flowWith({ tasks: Array.from({ length: 9 }, () => ({})) }));
    await expect(many).rejects.toThrow(/task 4: .*\n {2}and 4 more$/s);
  });

  it('refuses ids that repeat, are missing or cannot travel', async () => {
    await expect(loadTasks(flowWith({ tasks: [good('a'), good('b'), good('a')] }))).rejects.toThrow(
      /task 2: id 'a' is already the id of task 0/,
    );
    const anything = { task: z.any() };
    await expect(loadTasks(flowWith({ tasks: [{}] }, anything))).rejects.toThrow(/has no id; give it one or define `id`/);
    await expect(loadTasks(flowWith({ tasks: [3] }, anything))).rejects.toThrow(/has no id/);
    for (const id of ['', 'a\nb', 'x'.repeat(201)])
      await expect(loadTasks(flowWith({ tasks: [{ id }] }, anything))).rejects.toThrow(/1 to 200 characters/);
    const splitKey = (): never => {
      throw new Error('no user');
    };
    await expect(loadTasks(flowWith({ tasks: [good('a')] }, { splitKey }))).rejects.toThrow(
      /splitKey of the flow: Error: no user/,
    );
  });

  it('refuses what JSON would change, with the id of the task and the path', async () => {
    const anything = { task: z.any() };
    const task = { id: 'a', orders: [{}, { when: new Date(0) }] };
    const refused = loadTasks(flowWith({ tasks: [{ id: 'z' }, task], origins: ['t:1', 't:2'] }, anything));
    await expect(refused).rejects.toThrow(/t:2 \(task 1\): id 'a': \$\.orders\[1\]\.when: an instance of Date/);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_argument', field: 'tasks[1].orders[1].when' });
  });

  it('checks the schema of what travels, not of what was read', async () => {
    // An absent property and 0 are what arrives; the flow would fail there.
    const schema = z.custom<Record<string, unknown>>(
      (task) => typeof task === 'object' && task !== null && !('note' in task) && !Object.is((task as { n: number }).n, -0),
    );
    const { tasks } = await loadTasks(flowWith({ tasks: [{ id: 'a', note: undefined, n: -0 }] }, { task: schema }));
    expect(tasks.map(({ json }) => json)).toEqual(['{"id":"a","n":0}']);
  });

  it('says what a schema throws', async () => {
    const task = z.any().refine(async () => true);
    await expect(loadTasks(flowWith({ tasks: [{ id: 'a' }] }, { task }))).rejects.toThrow(/task 0: the task schema: /);
  });

  it('refuses a task that is too large to travel', async () => {
    const sized = (bytes: number) => ({ id: 'big', text: 'é'.repeat((bytes - '{"id":"big","text":""}'.length) / 2) });
    const anything = { task: z.any() };
    expect((await loadTasks(flowWith({ tasks: [sized(MAX_TASK_BYTES)] }, anything))).tasks).toHaveLength(1);
    const refused = loadTasks(flowWith({ tasks: [sized(MAX_TASK_BYTES + 2)] }, anything));
    await expect(refused).rejects.toThrow(/task 0: id 'big': it is 524,290 bytes of JSON, and a task is at most 524,288/);
  });

  it('refuses ids, split keys and types with lone surrogates', async () => {
    const [phone, heart] = ['📞', '💓'].map((emoji) => `task ${emoji}`.slice(0, 6));
    const wire = (id: string | undefined) => Buffer.from(id!, 'utf8').toString('hex');
    expect(phone).not.toBe('📞');
    expect(wire('📞'.slice(0, 1))).toBe(wire('🪀'.slice(0, 1)));
    const anything = { task: z.any() };
    for (const id of [phone, heart])
      await expect(loadTasks(flowWith({ tasks: [{ id }] }, anything))).rejects.toThrow(/\$\.id: a text that is not well-formed/);
    for (const what of ['id', 'splitKey', 'type'] as const) {
      const cut = { ...anything, [what]: ({ name }: { name: string }) => name.slice(0, 6) };
      const refused = loadTasks(flowWith({ tasks: [{ id: 'a', name: 'task 📞' }] }, cut));
      await expect(refused).rejects.toThrow(new RegExp(`${what} "task .*" must be well-formed Unicode`));
    }
    expect((await loadTasks(flowWith({ tasks: [{ id: 'task 📞' }] }, anything))).tasks).toHaveLength(1);
  });

  it('refuses numbers as ids that may have lost digits', async () => {
    const anything = { task: z.any() };
    await expect(loadTasks(flowWith({ tasks: [{ id: 2 ** 53 }] }, anything))).rejects.toThrow(/beyond 2\^53/);
    expect((await loadTasks(flowWith({ tasks: [{ id: 2 ** 53 - 1 }] }, anything))).tasks[0]!.id).toBe('9007199254740991');
  });

  it('refuses types that are no text', async () => {
    const type = (): string => 7.5 as never;
    await expect(loadTasks(flowWith({ tasks: [good('a')] }, { type: () => '' }))).rejects.toThrow(/type "" must have 1 to 200/);
    await expect(loadTasks(flowWith({ tasks: [good('a')] }, { type: () => undefined as never }))).rejects.toThrow(
      /type of the flow must return a text/,
    );
    expect((await loadTasks(flowWith({ tasks: [good('a')] }, { type }))).tasks).toHaveLength(1);
  });

  it('refuses what is no list, no tasks, and origins that do not match', async () => {
    await expect(loadTasks(flowWith(undefined))).rejects.toMatchObject({ field: 'load' });
    await expect(loadTasks(flowWith({ tasks: [] }), { data: '/none' })).rejects.toThrow(/loaded no tasks from \/none/);
    await expect(loadTasks(flowWith({ tasks: [good('a')], origins: [] }))).rejects.toThrow(/0 origins for 1 tasks/);
  });

  it('passes on errors of the source, and does not wait for ever', async () => {
    const load = (): never => {
      throw new TypeError('cannot read');
    };
    await expect(loadTasks(flowWith(undefined, { load }))).rejects.toThrow(/load of flow 'parcels': TypeError: cannot read/);
    const later = loadTasks(
      flowWith(undefined, {
        load: () => {
          throw new RetryLater({ afterMs: 30_000, reason: 'task server: HTTP 429' });
        },
      }),
    );
    await expect(later).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      field: 'load',
      message: "load of flow 'parcels' cannot read its tasks now (task server: HTTP 429); try again in 30 s",
    });
    const clock = new VirtualClock();
    const hanging = loadTasks(flowWith(new Promise(() => undefined)), { clock, timeoutMs: 50 });
    await expect(clock.run(hanging)).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });
});

describe('splitTasks', () => {
  const tasks = fc.uniqueArray(fc.string(), { maxLength: 60 }).map((ids) => ids.map((id) => ({ id, key: `user ${id.length}` })));

  const double = (min: number, max: number) => fc.double({ min, max, noNaN: true });
  const keysOf = (side: readonly { key: string }[]) => new Set(side.map(({ key }) => key));
  const split = <T extends { key: string }>(all: readonly T[], options: { heldOut: number; test: number; seed: number }) =>
    splitTasks(all, { ...options, clock: systemClock });
  const atLeastOneEach = (keys: number, share: number) =>
    keys < 2 ? 0 : Math.min(keys - 1, Math.max(1, Math.round(share * keys)));

  it('is a partition in which no key is on two sides, in order, the same for any order of the tasks', async () => {
    await fc.assert(
      fc.asyncProperty(tasks, double(0.01, 0.9), double(0, 0.9), fc.nat(), async (all, heldOut, test, seed) => {
        const sides = await split(all, { heldOut, test, seed });
        const parts = [sides.train, sides.validation, sides.test];
        expect(all.filter((task) => parts.filter((part) => part.includes(task)).length === 1)).toEqual(all);
        for (const part of parts) expect(all.filter((task) => part.includes(task))).toEqual(part);
        const [train, validation, tested] = parts.map(keysOf);
        expect(train!.size + validation!.size + tested!.size).toBe(keysOf(all).size);
        const again = await split([...all].reverse(), { heldOut, test, seed });
        for (const side of ['validation', 'test'] as const) expect(again[side].reverse()).toEqual(sides[side]);
        const out = atLeastOneEach(keysOf(all).size, heldOut);
        expect(validation!.size + tested!.size).toBe(out);
        expect(tested!.size).toBe(test === 0 ? 0 : atLeastOneEach(out, test));
      }),
    );
  });

  it('trains on the same tasks whatever share of the others is the test set', async () => {
    const all = Array.from({ length: 100 }, (_, i) => ({ key: `u${i}` }));
    const none = await split(all, { heldOut: 0.3, test: 0, seed: 1 });
    const half = await split(all, { heldOut: 0.3, test: 0.5, seed: 1 });
    expect([half.train, half.validation.length, half.test.length]).toEqual([none.train, 15, 15]);
    expect(none.validation).toHaveLength(30);
  });

  it('differs by seed', async () => {
    const all = Array.from({ length: 50 }, (_, i) => ({ i, key: String(i) }));
    const held = async (seed: number) => (await split(all, { heldOut: 0.2, test: 0, seed })).validation.map(({ i }) => i);
    expect(await held(1)).toHaveLength(10);
    expect(await held(1)).not.toEqual(await held(2));
  });

  it('moves few tasks when one is added', async () => {
    const all = Array.from({ length: 200 }, (_, i) => ({ key: `u${i}` }));
    const options = { heldOut: 0.2, test: 0.5, seed: 1 };
    const [before, after] = [await split(all.slice(1), options), await split(all, options)];
    for (const side of ['validation', 'test'] as const)
      expect(after[side].filter((task) => !before[side].includes(task)).length).toBeLessThanOrEqual(2);
  });
});

describe('taskAt', () => {
  it('gives every task once an epoch, each epoch in its own order, from its arguments only', () => {
    const epoch = (n: number, e: number, seed: number) => Array.from({ length: n }, (_, i) => taskAt(e * n + i, n, seed));
    const all = Array.from({ length: 20 }, (_, i) => i);
    for (const e of [0, 1, 7]) expect(epoch(20, e, 3).sort((a, b) => a - b)).toEqual(all);
    const late = epoch(20, 9, 3);
    expect(epoch(20, 0, 3)).not.toEqual(epoch(20, 1, 3));
    expect(epoch(20, 0, 3)).not.toEqual(epoch(20, 0, 4));
    expect(epoch(20, 9, 3)).toEqual(late);
  });
});

describe('readTasks', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'tasks-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const lines = ({ origins }: Loaded<unknown>): number[] => origins!.map((origin) => Number(/:(\d+)$/.exec(origin)![1]));

  it('reads JSON with the line of each task', async () => {
    const file = write('a.json', '\uFEFF[\n  {"id": "a,[", "x": [1,\n 2]},\n\n  {"id": "b\\"]"}, 3\n]\n');
    const loaded = await readTasks(file);
    expect(loaded.tasks).toEqual([{ id: 'a,[', x: [1, 2] }, { id: 'b"]' }, 3]);
    expect(loaded.origins).toEqual([`${file}:2`, `${file}:5`, `${file}:5`]);
  });

  const pieces = (bytes: Buffer, size: number): Buffer[] =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

  it('finds the elements of any JSON list', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.constantFrom(0, 1, 3),
        fc.integer({ min: 1, max: 50 }),
        (values, indent, piece) => {
          const bytes = Buffer.from(JSON.stringify(values, null, indent));
          const splitter = new ListSplitter();
          // In pieces of any length: an element may lie across several.
          const elements = pieces(bytes, piece).flatMap((part) =>
            [...splitter.push(part)].map((e) => ({ ...e, text: `${e.bytes}` })),
          );
          splitter.end();
          expect(elements.map(({ text }) => JSON.parse(text) as unknown)).toEqual(JSON.parse(`${bytes}`));
          const found = elements.map(({ line }) => line);
          if (indent === 0) return;
          let line = 2;
          values.forEach((value, i) => {
            expect(found[i]).toBe(line);
            line += JSON.stringify([value], null, indent).split('\n').length - 2;
          });
        },
      ),
    );
  });

  it('reads JSON lines and CSV with the line each task starts on', async () => {
    const jsonl = await readTasks(write('a.jsonl', '{"id":"a"}\n\n  {"id":"b"}\r\n'));
    expect([jsonl.tasks, lines(jsonl)]).toEqual([
      [{ id: 'a' }, { id: 'b' }],
      [1, 3],
    ]);
    const csv = await readTasks(write('a.csv', 'id,text\r\na,"one\ntwo, ""three"""\r\n\r\nb,\r\n'));
    expect(csv.tasks).toEqual([
      { id: 'a', text: 'one\ntwo, "three"' },
      { id: 'b', text: '' },
    ]);
    expect(lines(csv)).toEqual([2, 5]);
  });

  it('says where a file is broken', async () => {
    const cases: [string, string, number][] = [
      ['b.json', '[\n{"a":1},\n{"a":1,}\n]', 3],
      ['c.json', '[\n1,\n2,\nnul\n]', 4],
      ['d.json', '[\n1,\n', 2],
      ['e.json', '{"tasks": []}', 1],
      ['b.jsonl', '{}\n{}\n{"a"}\n', 3],
      ['b.csv', 'a,b\n1,2\n1,2,3\n', 3],
      ['c.csv', 'a,b\n1,"2\n', 2],
    ];
    for (const [name, text, line] of cases) {
      const file = write(name, text);
      await expect(readTasks(file), name).rejects.toMatchObject({ code: 'invalid_argument', field: 'data' });
      await expect(readTasks(file), name).rejects.toThrow(`${file}:${line}: `);
    }
    await expect(readTasks(join(folder, 'none.json'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(readTasks(write('a.txt', ''))).rejects.toThrow(/\.json, \.jsonl, \.ndjson and \.csv/);
  });

  it('reads files larger than its pieces, gives way meanwhile and says how far it is', async () => {
    const all = Array.from({ length: 30_000 }, (_, i) => ({ id: `task-${i}`, text: `${'größe 📞 '.repeat(i % 7)}` }));
    const files = [
      write('l.json', JSON.stringify(all, null, 1)),
      write('l.jsonl', all.map((task) => JSON.stringify(task)).join('\r\n')),
      write('l.csv', ['id,text', ...all.map(({ id, text }) => `${id},"${text}"`)].join('\n')),
    ];
    for (const file of files) {
      const flow = flowWith(undefined, { task: z.any(), load: () => readTasks(file) as Promise<Loaded<never>> });
      const told: LoadProgress[] = [];
      let turns = 0;
      const timer = setInterval(() => (turns += 1), 1);
      const { tasks } = await loadTasks(flow, { onProgress: (progress) => told.push(progress) });
      clearInterval(timer);
      expect(tasks.map(({ json }) => JSON.parse(json) as unknown)).toEqual(all);
      expect(turns).toBeGreaterThan(3);
      const bytes = statSync(file).size;
      expect(told).toContainEqual({ stage: 'read', done: bytes, total: bytes });
      expect(told.map(({ stage }) => stage)).toContain('check');
    }
  });

  it('refuses files, entries and lists that are too large, with the limit', async () => {
    const large = write('large.json', '[');
    truncateSync(large, MAX_FILE_BYTES + 1);
    await expect(readTasks(large)).rejects.toThrow(/large\.json: is 257 MiB, and a task file is at most 256 MiB/);
    const long = JSON.stringify({ id: 'a', text: 'x'.repeat(9 * 2 ** 20) });
    for (const [name, text] of Object.entries({ 'long.jsonl': `{}\n${long}\n{}`, 'long.json': `[{},\n${long},\n{}]` }))
      await expect(readTasks(write(name, text))).rejects.toThrow(/long\.jsonl?:2: a single entry of more than 8 MiB/);
    const many = flowWith({ tasks: new Array(MAX_TASKS + 1).fill(good('a')) });
    await expect(loadTasks(many)).rejects.toThrow(/1,000,001 tasks, and a job has at most 1,000,000/);
  });

  it('refuses what is not UTF-8, with the line', async () => {
    const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
    for (const [name, bytes] of Object.entries({
      'u.jsonl': latin('{}\n{"id":"größe"}\n'),
      'u.json': latin('[{},\n{"id":"größe"}]'),
      'u.csv': latin('id\ngröße\n'),
      'cut.csv': Buffer.from('id\n📞').subarray(0, 5),
    })) {
      writeFileSync(join(folder, name), bytes);
      await expect(readTasks(join(folder, name)), name).rejects.toThrow(/:[12]: is not UTF-8/);
    }
  });
});
