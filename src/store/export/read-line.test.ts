import { describe, expect, it } from 'vitest';
import { TABLES } from '../../records/tables.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import { importLines, LineChecker } from './import.ts';
import { MemoryStore } from '../memory-store.ts';
import { readLine } from './read-line.ts';

const good = { task_id: 't', response: 'r', timestamp: '2026-01-01T00:00:00Z', metadata: { job: 'j' } };
const read = (line: object, job?: string): Record<string, unknown> => {
  const values = JSON.parse(readLine(JSON.stringify(line), { job }).trajectory) as unknown[];
  return Object.fromEntries(TRAJECTORY_COLUMNS.map(({ name }, index) => [name, values[index]]));
};
const problem = (line: unknown): string => {
  try {
    readLine(typeof line === 'string' ? line : JSON.stringify(line));
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
};

describe('readLine', () => {
  it('needs task, response, time and job, and has defaults for the rest', () => {
    expect(read(good)).toMatchObject({
      job: 'j',
      trajectory_id: expect.stringMatching(/^import-[0-9a-f]{24}$/) as string,
      request_id: '',
      agent: 'policy',
      policy_version: 0,
      purpose: 'train',
      reward: 0,
      valid: false,
      success: false,
      steps: 0,
      answer: 'r',
      started_at: 1_767_225_600_000_000,
      ended_at: 1_767_225_600_000_000,
    });
    expect(read({ ...good, score: 0.5 }, 'other')).toMatchObject({
      job: 'other',
      reward: 0.5,
      outcome: 0.5,
      valid: true,
      success: true,
    });
    const steps = [
      { tool: 'a', error: true, tool_us: 3 },
      { tool: 'b', tool_us: 4 },
    ];
    expect(read({ ...good, metadata: { job: 'j', steps } })).toMatchObject({ steps: 2, tool_errors: 1, tool_us: 7 });
  });

  it('keeps what has no column', () => {
    const { answer } = read({ ...good, input: 'q', metadata: { job: 'j', answer: 42, step: 'x', source: { n: [1] } } });
    expect(JSON.parse(String(answer))).toEqual({
      'millrace:interaction': 1,
      input: 'q',
      response: 'r',
      metadata: { answer: 42, step: 'x', source: { n: [1] } },
    });
  });

  it('gives the same content the same id, and other content another', () => {
    const id = (line: object): unknown => read(line)['trajectory_id'];
    expect(id({ metadata: good.metadata, timestamp: good.timestamp, response: 'r', task_id: 't' })).toBe(id(good));
    expect(id({ ...good, score: 1 })).not.toBe(id(good));
  });

  it('reads times of any zone to the microsecond', () => {
    for (const [timestamp, us] of [
      ['2026-01-01T02:00:00.000001+02:00', 1],
      ['2026-01-01 00:00:00.1Z', 100_000],
      ['2025-12-31t23:30:00-00:30', 0],
    ] as const)
      expect(read({ ...good, timestamp })['started_at'], timestamp).toBe(1_767_225_600_000_000 + us);
  });

  it('says which field is wrong and what is allowed', () => {
    const metadata = (more: object): object => ({ ...good, metadata: { job: 'j', ...more } });
    expect(problem('{')).toMatch(/^is no JSON: /);
    expect(problem('[]')).toBe('is no JSON object');
    expect(problem({ ...good, reward: 1 })).toMatch(/^reward: is no field of an interaction \(task_id, input, /);
    expect(problem({ ...good, task_id: undefined })).toBe('task_id: is missing, expected a text');
    expect(problem({ ...good, response: { a: 1 } })).toBe(
      'response: got {"a":1}, expected a text; other JSON goes in as its text',
    );
    expect(problem({ ...good, response: 'x'.repeat(65_537) })).toMatch(
      /^response: got "x+…, expected at most 65536 characters, not 65537$/,
    );
    expect(problem({ ...good, input: 3 })).toBe('input: got 3, expected a text or null');
    expect(problem({ ...good, score: 'high' })).toMatch(
      /^score: got "high", expected a number from -3\.\d+e\+38 to .* "nan", "inf", "-inf"$/,
    );
    expect(problem({ ...good, score: 1e39 })).toMatch(/^score: got 1e\+39/);
    expect(problem({ ...good, adapter_version: 'v3' })).toBe(
      'adapter_version: got "v3", expected a whole number from 0 to 4294967295',
    );
    for (const timestamp of [
      'yesterday',
      '2026-01-01T00:00:00',
      '2026-02-30T00:00:00Z',
      '1969-12-31T23:59:59Z',
      '2026-01-01T00:00:00.1234567Z',
      5,
    ])
      expect(problem({ ...good, timestamp }), String(timestamp)).toMatch(/^timestamp: got .* expected a time like /);
    expect(problem({ ...good, metadata: 3 })).toBe('metadata: got 3, expected an object');
    expect(problem({ ...good, metadata: {} })).toMatch(/^metadata\.job: is missing, .*--job/);
    expect(problem(metadata({ job: 'No' }))).toMatch(/^metadata\.job: got "No", expected 1 to 40 lower-case/);
    expect(problem(metadata({ purpose: 'test' }))).toBe('metadata.purpose: got "test", expected "train" or "evaluate"');
    expect(problem(metadata({ components: { a: null } }))).toMatch(/^metadata\.components\.a: got null/);
    expect(problem(metadata({ steps: 3 }))).toBe('metadata.steps: got 3, expected an array of objects');
    expect(problem(metadata({ steps: [{}] }))).toBe('metadata.steps[0].tool: is missing, expected a text');
    expect(problem(metadata({ steps: [{ tool: 'a', reward: 1 }] }))).toMatch(
      /^metadata\.steps\[0\]\.reward: got 1, expected no such field/,
    );
    expect(problem(metadata({ steps: [{ tool: 'a' }, { tool: 'a', step: 0 }] }))).toMatch(/^metadata\.steps\[1\]\.step: got 0/);
    expect(problem(metadata({ steps: [{ tool: 'a', items: [70_000] }] }))).toMatch(
      /^metadata\.steps\[0\]\.items\[0\]: got 70000/,
    );
    expect(problem(metadata({ trajectory_id: '' }))).toMatch(/^metadata\.trajectory_id: got ""/);
    expect(problem(metadata({ sequence: '18446744073709551616' }))).toMatch(/^metadata\.sequence: /);
    expect(problem({ ...metadata({ reward: 1 }), score: 1 })).toMatch(/^metadata\.reward: got 1, expected nothing/);
    expect(problem(metadata({ step: { tool: 'a' }, note: 1 }))).toMatch(
      /^metadata\.note: got 1, expected no such field in the line of a step/,
    );
    expect(problem(JSON.stringify(metadata({ n: 0 })).replace(':0}', ':12345678901234567891}'))).toMatch(
      /^the number 12345678901234567891 is too large to be kept exactly/,
    );
  });
});

describe('columns', () => {
  it('are those of the tables', () => {
    const names = (table: 'steps' | 'trajectories'): string[] => TABLES[table].columns.map((name) => name.replace('_base64', ''));
    expect(TRAJECTORY_COLUMNS.map(({ name }) => name)).toEqual(names('trajectories'));
    expect(STEP_COLUMNS.map(({ name }) => name)).toEqual(names('steps'));
  });
});

describe('importLines', () => {
  it('writes nothing when a line is wrong, and says which', async () => {
    const store = new MemoryStore();
    const lines = [JSON.stringify(good), JSON.stringify({ ...good, task_id: 1 })];
    await expect(importLines(store, lines)).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'task_id',
      message: 'line 2: task_id: got 1, expected a text',
    });
    expect(store.rows('trajectories')).toEqual([]);
  });

  it('writes the same rows for the same lines', async () => {
    const store = new MemoryStore();
    const lines = [JSON.stringify({ ...good, metadata: { job: 'j', steps: [{ tool: 'a' }, { tool: 'b' }] } })];
    expect(await importLines(store, lines)).toEqual({ trajectories: 1, steps: 2 });
    const rows = store.rows('steps');
    await importLines(store, lines);
    expect(store.rows('steps')).toEqual(rows);
    expect(rows.map(({ step, tool, task_id }) => [step, tool, task_id])).toEqual([
      [0, 'a', 't'],
      [1, 'b', 't'],
    ]);
  });
});

describe('LineChecker', () => {
  it('gives lines that say the same ids of their own, the same every time', () => {
    const text = JSON.stringify(good);
    const ids = (): string[] => {
      const checker = new LineChecker();
      return [1, 2, 3].map((number) => checker.check(text, number).trajectoryId);
    };
    expect(new Set(ids()).size).toBe(3);
    expect(ids()).toEqual(ids());
    const checker = new LineChecker();
    checker.check(text, 1);
    const second = checker.check(text, 2);
    expect(readLine(second.text).trajectoryId).toBe(second.trajectoryId);
  });

  it('refuses one id for two lines', () => {
    const text = (response: string): string => JSON.stringify({ ...good, response, metadata: { job: 'j', trajectory_id: 'a' } });
    const checker = new LineChecker();
    checker.check(text('one'), 4);
    expect(() => checker.check(text('two'), 9)).toThrow("line 9: metadata.trajectory_id: a is line 4's already");
  });
});
