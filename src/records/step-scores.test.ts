import { describe, expect, it } from 'vitest';
import { stepRow } from '../store/fixtures.ts';
import { encodeRows } from './encode.ts';
import { isPacked, packRows, unpackRows } from './pack.ts';
import { scoreStepRows } from './step-scores.ts';
import { TABLES } from './tables.ts';

const { columns } = TABLES.steps;
const rows = (count: number): Buffer =>
  encodeRows(
    'steps',
    Array.from({ length: count }, (_, step) => stepRow({ step, result: `"]\n[${step}€`, verified: step % 2 === 0 })),
  );
const read = (block: Uint8Array): unknown[][] =>
  Buffer.from(unpackRows(block))
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown[]);
const scores = (count: number) => Array.from({ length: count }, (_, i) => ({ reward: i === 1 ? null : i / 3, advantage: -0.1 }));

describe('scoreStepRows', () => {
  it('puts reward and advantage at the end of each row and leaves the rest as it is', () => {
    for (const block of [rows(60), packRows(rows(60))]) {
      const scored = scoreStepRows(block, scores(60));
      expect(isPacked(scored)).toBe(true);
      const before = read(rows(60));
      expect(read(scored)).toEqual(
        before.map((row, i) => [...row, i === 1 ? null : expect.closeTo(i / 3, 7), expect.closeTo(-0.1, 7)]),
      );
      expect(read(scored).every(({ length }) => length === columns.indexOf('advantage') + 1)).toBe(true);
    }
  });

  it('puts them in their place in rows with all columns, unless they are there', () => {
    const parts = { decision: 'generated', messages: '["[,\\n"]', token_log_probabilities: [-0.5] } as const;
    const complete = (of = 0): Buffer =>
      encodeRows(
        'steps',
        [0, 1, 2].map((step) => stepRow({ ...parts, step, ...(step < of && { step_reward: 1, advantage: 1 }) })),
      );
    const scored = read(scoreStepRows(complete(), scores(3)));
    const [reward, advantage] = ['step_reward', 'advantage'].map((name) => columns.indexOf(name)) as [number, number];
    expect(scored.map((row) => [row[reward], row[advantage]])).toEqual(
      [0, null, 2 / 3].map((value) => [value && expect.closeTo(value, 7), expect.closeTo(-0.1, 7)]),
    );
    expect(scored.map((row) => row.toSpliced(reward, 2, null, null))).toEqual(read(complete()));
    expect(read(scoreStepRows(complete(1), scores(3)))).toEqual(read(complete(1)));
    expect(read(scoreStepRows(Buffer.concat([complete(), rows(1)]), scores(4)))).toHaveLength(4);
  });

  it('keeps numbers of 32 bits as they are', () => {
    const values = [Math.fround(0.1), Math.fround(1e-30), 0, -3.4028234663852886e38, NaN];
    const scored = scoreStepRows(
      rows(5),
      values.map((value) => ({ reward: value, advantage: value })),
    );
    const found = read(scored).map((row) => row.at(-1));
    expect(found.map((value) => value === null || Math.fround(value as number))).toEqual([...values.slice(0, 4), true]);
  });

  it('leaves rows that are not its own as they are', () => {
    const old = encodeRows('steps', [stepRow()]);
    const whole = encodeRows('steps', [stepRow({ step_reward: 1, advantage: 1 })]);
    for (const block of [old, whole, Buffer.from('[1]\n'), Buffer.from('no row'), Buffer.from('{]\n'), new Uint8Array()])
      expect(Buffer.from(scoreStepRows(block, scores(1)))).toEqual(Buffer.from(block));
    expect(read(scoreStepRows(rows(3), scores(2)))).toEqual(read(rows(3)));
    const damaged = packRows(rows(60)).subarray(0, 50);
    expect(scoreStepRows(damaged, scores(60))).toEqual(damaged);
  });
});
