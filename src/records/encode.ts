import { CALL_BODIES } from './call-tables.ts';
import { MAX_TEXT, TABLES } from './tables.ts';
import type { Rows, StepRow, TableName, TrajectoryRow, UpdateRow } from './tables.ts';

/**
 * Encodes rows as JSONCompactEachRow: one JSON array a line, each line ended by `\n`, values in the column order of
 * {@link TABLES}. Encoded rows may be concatenated. Never throws for well-typed rows: lone surrogates become U+FFFD,
 * NaN and infinities become the strings ClickHouse reads as such, long texts are cut.
 */
export function encodeRows<T extends TableName>(table: T, rows: readonly Rows[T][]): Buffer {
  const line = ENCODERS[table];
  let text = '';
  for (const row of rows) text += line(row);
  return Buffer.from(text, 'utf8');
}

/** How many rows an encoded block holds. */
export function countRows(block: Uint8Array): number {
  let rows = 0;
  for (let at = block.indexOf(10); at >= 0; at = block.indexOf(10, at + 1)) rows += 1;
  return block.length > 0 && block[block.length - 1] !== 10 ? rows + 1 : rows;
}

/** JSON has no NaN and no infinities; ClickHouse reads them from strings. */
function float(value: number): number | string {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** Whole microseconds in a UInt32; a clock that went back counts as no time. */
const duration = (us: number): number => Math.min(0xffffffff, Math.max(0, Math.round(us)));

/** A whole number from 0: times in microseconds, sums of them, tokens. */
const whole = (value: number): number => Math.max(0, Math.round(value));

/** ClickHouse refuses a lone surrogate's escape, and with it the whole block. */
const text = (value: string): string => (value as WellFormable).toWellFormed();

const cut = (value: string): string => text(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT - 1)}…` : value);

/** Node 20 has it, the ES2023 types do not. */
type WellFormable = string & { toWellFormed(): string };

const base64 = (vector: Float32Array | undefined): string =>
  vector === undefined || vector.length === 0
    ? ''
    : Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');

function stepLine(row: StepRow): string {
  const values: unknown[] = [
    text(row.job),
    text(row.trajectory_id),
    text(row.request_id),
    text(row.task_id),
    row.purpose,
    text(row.evaluation),
    row.policy_version,
    row.step,
    text(row.tool),
    row.items,
    cut(row.arguments),
    cut(row.result),
    row.error,
    float(row.log_probability),
    float(row.entropy),
    row.open_actions,
    duration(row.plan_us),
    duration(row.tool_us),
    whole(row.started_at),
    base64(row.state_flags),
  ];
  // A row ends with the last column that has something to say; see `added` of the table's shape.
  const complete = row.token_log_probabilities !== undefined;
  const scored = complete || row.step_reward !== undefined;
  const observed = scored || row.verified !== undefined;
  if (row.decision === 'generated') values.push(...generatedValues(row));
  else if (observed) values.push('choice', '', '', 0, 0, NONE, NONE);
  if (observed) values.push(...observedValues(row));
  if (scored) values.push(maybe(row.step_reward), maybe(row.advantage));
  if (complete) values.push(...conversationValues(row));
  return `${JSON.stringify(values)}\n`;
}

const NONE: readonly never[] = [];

/** The columns that only generated decisions have. */
function generatedValues(row: StepRow): unknown[] {
  const { decision, mistake = '', text: written = '', tokens_in = 0, tokens_out = 0, prompt = [], tokens = [] } = row;
  return [decision, mistake, cut(written), tokens_in, tokens_out, prompt, tokens];
}

/** What was seen beside the decision. States are JSON, which whoever made them has bounded: cut anywhere they would be none. */
function observedValues(row: StepRow): unknown[] {
  const { state_before = '', state_after = '', verified = false, other_actions = NONE, other_probabilities = NONE } = row;
  return [text(state_before), text(state_after), verified, other_actions.map(text), other_probabilities.map(float)];
}

/** The columns of conversations. Whoever made their JSON has bounded it. */
function conversationValues({ messages = '', further_calls = [], token_log_probabilities = [] }: StepRow): unknown[] {
  return [text(messages), further_calls.map(text), token_log_probabilities.map(float)];
}

const maybe = (value: number | null | undefined): number | string | null =>
  value === null || value === undefined ? null : float(value);

function trajectoryLine(row: TrajectoryRow): string {
  const values: unknown[] = [
    text(row.job),
    text(row.trajectory_id),
    text(row.request_id),
    row.sequence,
    row.member,
    text(row.task_id),
    row.purpose,
    text(row.evaluation),
    row.agent,
    row.policy_version,
    row.dispatch_version,
    row.steps,
    row.tool_errors,
    row.termination,
    row.failure,
    cut(row.failure_message),
    row.resamples,
    float(row.outcome),
    float(row.reward),
    float(row.advantage),
    row.success,
    row.valid,
    row.verdict,
    floats(row.components),
    cut(row.answer),
    text(row.node),
    text(row.reward_node),
    whole(row.dispatched_at),
    whole(row.started_at),
    whole(row.ended_at),
    whole(row.scored_at),
    text(row.task_type ?? ''),
    whole(row.plan_us ?? 0),
    whole(row.tool_us ?? 0),
    whole(row.tokens_in ?? 0),
    whole(row.tokens_out ?? 0),
    whole(row.micro_dollars ?? 0) / 1_000_000,
    whole(row.micro_dollars ?? 0),
  ];
  // Only rows of live tasks have these columns.
  if (row.adapter !== undefined) values.push(text(row.adapter), text(row.experiment ?? ''), row.arm ?? '');
  return `${JSON.stringify(values)}\n`;
}

function floats(values: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [text(name), float(value)]));
}

/** Tables with a few rows a round need no encoder of their own. @param uncut - columns whose texts are never cut */
function plainLine(table: TableName, uncut: readonly string[] = []): (row: object) => string {
  const columns = TABLES[table].columns;
  return (row) => {
    const values = columns.map((column) => {
      const value = (row as Record<string, unknown>)[column];
      if (typeof value === 'number') return column.endsWith('at') ? whole(value) : float(value);
      if (typeof value === 'string') return uncut.includes(column) ? text(value) : cut(value);
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? floats(value as Record<string, number>)
        : value;
    });
    return `${JSON.stringify(values)}\n`;
  };
}

/** Reads the first line of what {@link encodeRows} wrote for table `updates`; undefined where there is none. */
export function decodeUpdateRow(block: Uint8Array): UpdateRow | undefined {
  const [line = ''] = Buffer.from(block).toString('utf8').split('\n', 1);
  if (line === '') return undefined;
  const values = JSON.parse(line) as unknown[];
  const { columns } = TABLES.updates;
  const number = (value: unknown): unknown => (typeof value === 'string' ? (NOT_FINITE[value] ?? value) : value);
  return Object.fromEntries(columns.map((column, i) => [column, number(values[i])])) as unknown as UpdateRow;
}

const NOT_FINITE: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
};

const ENCODERS: { readonly [T in TableName]: (row: Rows[T]) => string } = {
  steps: stepLine,
  trajectories: trajectoryLine,
  updates: plainLine('updates'),
  evaluations: plainLine('evaluations'),
  job_events: plainLine('job_events'),
  exploration: plainLine('exploration'),
  spending: plainLine('spending'),
  training_jobs: plainLine('training_jobs'),
  policy_checkpoints: plainLine('policy_checkpoints'),
  experiment_outcomes: plainLine('experiment_outcomes'),
  experiment_decisions: plainLine('experiment_decisions'),
  calls: plainLine('calls', CALL_BODIES),
};
