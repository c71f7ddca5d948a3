import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countRows, decodeUpdateRow, encodeRows } from './encode.ts';
import {
  evaluationRow,
  callRow,
  experimentDecisionRow,
  experimentOutcomeRow,
  explorationRow,
  jobEventRow,
  policyCheckpointRow,
  spendingRow,
  stepRow,
  trainingJobRow,
  trajectoryRow,
  updateRow,
} from '../store/fixtures.ts';
import { MAX_TEXT, TABLES, TABLE_NAMES } from './tables.ts';
import type { Rows } from './tables.ts';

const ONE: { [T in keyof Rows]: Rows[T] } = {
  steps: stepRow({
    state_flags: Float32Array.of(1, 2),
    decision: 'generated',
    mistake: 'no_call',
    text: 'hm',
    tokens_in: 3,
    tokens_out: 2,
    prompt: [7, 0xffffffff],
    tokens: [1, 2],
    state_before: '{"a":1}',
    state_after: '{"a":2}',
    verified: true,
    other_actions: ['get(1)'],
    other_probabilities: [0.25],
    step_reward: 0.5,
    advantage: -1,
    messages: '[{"role":"user","content":"hi"}]',
    further_calls: ['{"tool":"get"}'],
    token_log_probabilities: [-0.5, -1.25],
  }),
  trajectories: trajectoryRow({ adapter: 'job@3', experiment: 'autumn', arm: 'candidate' }),
  updates: updateRow(),
  evaluations: evaluationRow(),
  job_events: jobEventRow(),
  exploration: explorationRow(),
  spending: spendingRow(),
  training_jobs: trainingJobRow(),
  policy_checkpoints: policyCheckpointRow(),
  experiment_outcomes: experimentOutcomeRow(),
  experiment_decisions: experimentDecisionRow(),
  calls: callRow(),
};

const decode = (block: Buffer): unknown[][] =>
  block
    .toString('utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown[]);

describe('encodeRows', () => {
  it.each(TABLE_NAMES)('writes %s in the order of its columns', (table) => {
    const row = ONE[table] as unknown as Record<string, unknown>;
    const [values] = decode(encodeRows(table, [ONE[table]]));
    expect(values).toHaveLength(TABLES[table].columns.length);
    TABLES[table].columns.forEach((column, index) => {
      // Made of other columns.
      if (column !== 'state_flags_base64' && column !== 'cost') expect(values![index], column).toEqual(row[column]);
    });
  });

  it('writes one line a row for any text, so that blocks can be joined', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 50 }), { maxLength: 5 }), (results) => {
        const block = encodeRows(
          'steps',
          results.map((result) => stepRow({ result })),
        );
        expect(countRows(block)).toBe(results.length);
        expect(decode(block).map((values) => values[TABLES.steps.columns.indexOf('result')])).toEqual(results);
      }),
    );
  });

  it('replaces lone surrogates, which ClickHouse refuses with the whole block', () => {
    const [values] = decode(encodeRows('steps', [stepRow({ result: 'a\ud800b', task_id: '\udc00' })]));
    expect(values).toContain('a\ufffdb');
    expect(values).toContain('\ufffd');
  });

  it('cuts long texts, never through a surrogate pair', () => {
    const [values] = decode(encodeRows('steps', [stepRow({ result: '😀'.repeat(MAX_TEXT) })]));
    const result = values![TABLES.steps.columns.indexOf('result')] as string;
    expect(result).toHaveLength(MAX_TEXT);
    expect(result.endsWith('…')).toBe(true);
    expect(/[\ud800-\udfff]/u.test(result)).toBe(false);
  });

  it('writes NaN and infinities as the texts ClickHouse reads as such', () => {
    const [values] = decode(encodeRows('updates', [updateRow({ loss: NaN, kl: Infinity, entropy: -Infinity })]));
    const columns = TABLES.updates.columns;
    expect(['loss', 'kl', 'entropy'].map((column) => values![columns.indexOf(column)])).toEqual(['nan', 'inf', '-inf']);
  });

  it('keeps durations and times in the range of their columns', () => {
    const row = stepRow({ plan_us: -3, tool_us: 1e12, started_at: -1.5 });
    const [values] = decode(encodeRows('steps', [row]));
    const columns = TABLES.steps.columns;
    expect(['plan_us', 'tool_us', 'started_at'].map((column) => values![columns.indexOf(column)])).toEqual([0, 0xffffffff, 0]);
  });

  it('takes a view into a larger buffer as the vector it is', () => {
    const state_flags = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    const [values] = decode(encodeRows('steps', [stepRow({ state_flags })]));
    expect(Buffer.from(values![TABLES.steps.columns.indexOf('state_flags_base64')] as string, 'base64')).toEqual(
      Buffer.from(Float32Array.of(1, 2).buffer),
    );
  });
});

it('ends the row of a choice before the columns of generated decisions', () => {
  const [values] = decode(encodeRows('steps', [stepRow({ decision: 'choice' })]));
  const { columns, added } = TABLES.steps;
  expect(columns.slice(values!.length)).toEqual(Object.keys(added));
});

describe('countRows', () => {
  it('counts a last line without its newline', () => {
    expect([countRows(Buffer.from('')), countRows(Buffer.from('[1]')), countRows(Buffer.from('[1]\n[2]'))]).toEqual([0, 1, 2]);
  });
});

describe('decodeUpdateRow', () => {
  it('gives back the row that was encoded, figures that are not finite as well', () => {
    const row = updateRow({ loss: Number.NaN, kl: Number.NEGATIVE_INFINITY });
    expect(decodeUpdateRow(encodeRows('updates', [row]))).toEqual(row);
  });

  it('finds none in an empty block', () => {
    expect(decodeUpdateRow(new Uint8Array())).toBeUndefined();
  });
});
