import { createHash } from 'node:crypto';
import { MillraceError } from '../../errors.ts';
import { INHERITED, STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import type { Column } from './columns.ts';
import { closeEnvelope } from './envelope.ts';
import { STEP_COUNT } from './line.ts';
import { encodeValue, isObject, wrongValue } from './values.ts';

/** An interaction as rows of the store, each an encoded line (JSONCompactEachRow). */
export interface ReadLine {
  /** Of the trajectory, or of the step when the line is one step of it: two lines with the same would be one row. */
  key: string;
  trajectoryId: string;
  trajectory: string;
  steps: string[];
}

/** Options of {@link readLine}. */
export interface ReadLineOptions {
  /** The job it is to belong to; as the line says when absent. */
  job?: string | undefined;
  /** How many lines of the file said the same before this one; distinguishes those without an id. Default 0. */
  repetition?: number;
}

/** The fields of an interaction. */
const FIELDS = ['task_id', 'input', 'response', 'score', 'agent_id', 'adapter_version', 'timestamp', 'metadata'];

/** Ids of jobs, as the admin API takes them. */
const JOB = /^[a-z0-9][a-z0-9-]{0,39}$/;

/**
 * Reads one line of an export, or of what others wrote in the same form: task_id, response and timestamp are needed, all else has
 * a default (docs/export.md). Throws `invalid_argument` with the field and what is allowed.
 */
export function readLine(line: string, options: ReadLineOptions = {}): ReadLine {
  const given = parse(line);
  const metadata = given['metadata'] ?? {};
  if (!isObject(metadata)) throw wrongValue('metadata', metadata, 'an object');
  // First, for what follows from them would be told instead.
  encodeValue('time', 'timestamp', given['timestamp']);
  if ((given['score'] ?? null) !== null) encodeValue('float', 'score', given['score']);
  const isStep = isObject(metadata['step']);
  checkMetadata(metadata, given, isStep);
  const job = jobOf(options.job ?? metadata['job']);
  const get = (column: string): unknown => trajectoryValue(column, { given, metadata, isStep });
  const id = metadata['trajectory_id'] ?? contentId(given, options.repetition ?? 0);
  const known: Record<string, unknown> = {
    job,
    trajectory_id: text('metadata.trajectory_id', id),
    // Without one, the interactions of a task are a group.
    request_id: metadata['request_id'] ?? '',
  };
  if (known['trajectory_id'] === '') throw wrongValue('metadata.trajectory_id', '', 'a text that is not empty, or none');
  const trajectory = encode(TRAJECTORY_COLUMNS, (name) => (name in known ? known[name] : get(name)), fieldOf(isStep));
  const row = (name: string): unknown => trajectory[TRAJECTORY_COLUMNS.findIndex((column) => column.name === name)];
  const purpose = row('purpose');
  if (purpose !== 'train' && purpose !== 'evaluate') throw wrongValue('metadata.purpose', purpose, '"train" or "evaluate"');
  if (row('node') === '' && row('reward_node') === '' && row('scored_at') === 0)
    throw wrongValue('metadata.scored_at', null, 'a time where there is no node');
  const startedAt = get('started_at');
  const steps = stepsOf(metadata).map(({ at, step, index }) =>
    encode(
      STEP_COLUMNS,
      (name) => (INHERITED.has(name) ? row(name) : stepValue(name, step, { index, startedAt })),
      (name) => `${at}.${name}`,
    ),
  );
  const key = [job, row('trajectory_id'), ...(isStep ? [steps[0]![STEP_COLUMNS.findIndex(({ name }) => name === 'step')]] : [])];
  const trajectoryId = row('trajectory_id') as string;
  return {
    key: JSON.stringify(key),
    trajectoryId,
    trajectory: JSON.stringify(trajectory),
    steps: steps.map((step) => JSON.stringify(step)),
  };
}

function parse(line: string): Record<string, unknown> {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch (cause) {
    throw new MillraceError('invalid_argument', `is no JSON: ${MillraceError.from(cause).message}`, { cause });
  }
  if (!isObject(given)) throw new MillraceError('invalid_argument', 'is no JSON object');
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    throw new MillraceError(
      'invalid_argument',
      `${unknown}: is no field of an interaction (${FIELDS.join(', ')}); put it into metadata`,
      {
        field: unknown,
      },
    );
  const inexact = /\d{16}|\d[eE]\+?\d{3}/.test(line) ? inexactInteger(line) : undefined;
  if (inexact !== undefined)
    throw new MillraceError('invalid_argument', `the number ${inexact} is too large to be kept exactly; write it as a text`);
  return given;
}

/** The first number outside texts that JavaScript would round to another whole number or cannot hold. */
function inexactInteger(line: string): string | undefined {
  for (const [token] of line.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g))
    if (!token.startsWith('"') && !isExact(token)) return token;
  return undefined;
}

/** Whether JavaScript would write the number as it read it, or at least as the same whole number. */
function isExact(token: string): boolean {
  const number = Number(token);
  if (!/^-?\d+$/.test(token)) return Number.isFinite(number);
  return JSON.stringify(number) === token || (Number.isFinite(number) && BigInt(number) === BigInt(token));
}

/** What would silently mean something else, or nothing. */
function checkMetadata(metadata: Record<string, unknown>, given: Record<string, unknown>, isStep: boolean): void {
  if (metadata['reward'] !== undefined && (given['score'] ?? null) !== null)
    throw wrongValue('metadata.reward', metadata['reward'], 'nothing where there is a score');
  if (!isStep) return;
  const stray = Object.keys(metadata).find((name) => name !== 'step' && !STEP_LINE_NAMES.has(name));
  if (stray !== undefined) throw wrongValue(`metadata.${stray}`, metadata[stray], 'no such field in the line of a step');
}

function jobOf(job: unknown): string {
  if (typeof job === 'string' && JOB.test(job)) return job;
  if (job === undefined) throw wrongValue('metadata.job', job, 'the id of a job; or name one for all lines (--job)');
  throw wrongValue('metadata.job', job, '1 to 40 lower-case letters, digits and "-", the first one no "-"');
}

const text = (field: string, given: unknown): unknown => encodeValue('text', field, given);

/** An id that the same content always has. */
function contentId(given: Record<string, unknown>, repetition: number): string {
  const content = JSON.stringify(FIELDS.map((name) => given[name] ?? null));
  return `import-${createHash('sha256').update(content).update(`\n${repetition}`).digest('hex').slice(0, 24)}`;
}

interface Line {
  given: Record<string, unknown>;
  metadata: Record<string, unknown>;
  isStep: boolean;
}

/** The value of a column of `trajectories`, by default what follows from the others. */
function trajectoryValue(column: string, line: Line): unknown {
  const { given, metadata, isStep } = line;
  const own = metadata[column === 'steps' ? STEP_COUNT : column];
  const steps = Array.isArray(metadata['steps']) ? metadata['steps'] : isStep ? [metadata['step']] : [];
  switch (column) {
    case 'task_id':
      return given['task_id'];
    case 'agent':
      return given['agent_id'] ?? 'policy';
    case 'policy_version':
      return given['adapter_version'] ?? 0;
    case 'reward':
      return given['score'] ?? own ?? 0;
    case 'valid':
      return own ?? (given['score'] ?? null) !== null;
    case 'success':
      return own ?? (typeof given['score'] === 'number' && given['score'] > 0);
    case 'outcome':
      return own ?? given['score'] ?? 0;
    case 'answer':
      return isStep ? (own ?? '') : answerOf(given, metadata);
    case 'started_at':
      return isStep && own !== undefined ? own : given['timestamp'];
    case 'dispatched_at':
    case 'ended_at':
    case 'scored_at':
      return own === undefined ? trajectoryValue('started_at', line) : own;
    case 'dispatch_version':
      return own ?? given['adapter_version'] ?? 0;
    case 'steps':
      return own ?? steps.length;
    case 'tool_errors':
      return own ?? steps.filter((step) => isObject(step) && step['error'] === true).length;
    case 'purpose':
      return own ?? 'train';
    case 'termination':
      return own ?? 'done';
    case 'node':
      return own ?? 'import';
    case 'plan_us':
    case 'tool_us':
      return own ?? sumOf(steps, column);
    case 'components':
      return own ?? {};
    default:
      return own ?? defaultOf(TRAJECTORY_COLUMNS, column);
  }
}

/** What is no number is told where the step is read. */
const sumOf = (steps: readonly unknown[], name: string): number =>
  steps.reduce<number>((sum, step) => sum + (isObject(step) ? Number(step[name] ?? 0) || 0 : 0), 0);

/** Columns of `trajectories` that a line of a trajectory has in fields of its own. */
const ELSEWHERE: ReadonlySet<string> = new Set(['task_id', 'agent', 'policy_version', 'answer', 'started_at', 'steps']);
const NAMES = TRAJECTORY_COLUMNS.map(({ name }) => name);
/** Metadata of a trajectory that has columns; whatever else there is, is kept in `answer`. */
const WITH_COLUMN: ReadonlySet<string> = new Set([...NAMES.filter((name) => !ELSEWHERE.has(name)), STEP_COUNT, 'steps']);
/** Metadata of a step's line. */
const STEP_LINE_NAMES: ReadonlySet<string> = new Set([...WITH_COLUMN, 'answer', 'started_at'].filter((name) => name !== 'steps'));

function answerOf(given: Record<string, unknown>, metadata: Record<string, unknown>): string {
  const { input = null, response } = given;
  if (typeof response !== 'string') throw wrongValue('response', response, 'a text; other JSON goes in as its text');
  if (typeof input !== 'string' && input !== null) throw wrongValue('input', input, 'a text or null');
  const extra = Object.fromEntries(Object.entries(metadata).filter(([name]) => !WITH_COLUMN.has(name)));
  return closeEnvelope({ input, response, extra });
}

function stepsOf(metadata: Record<string, unknown>): { at: string; step: Record<string, unknown>; index: number }[] {
  const { step, steps = [] } = metadata;
  if (isObject(step)) return [{ at: 'metadata.step', step, index: 0 }];
  if (!Array.isArray(steps)) throw wrongValue('metadata.steps', steps, 'an array of objects');
  const seen = new Set<unknown>();
  return steps.map((each: unknown, index) => {
    const at = `metadata.steps[${index}]`;
    if (!isObject(each)) throw wrongValue(at, each, 'an object');
    const position = each['step'] ?? index;
    if (seen.has(position)) throw wrongValue(`${at}.step`, position, 'another position than the steps before');
    seen.add(position);
    const unknown = Object.keys(each).find((name) => !STEP_NAMES.has(name));
    if (unknown !== undefined)
      throw wrongValue(`${at}.${unknown}`, each[unknown], `no such field; a step has ${[...STEP_NAMES].join(', ')}`);
    return { at, step: each, index };
  });
}

function stepValue(
  column: string,
  step: Record<string, unknown>,
  { index, startedAt }: { index: number; startedAt: unknown },
): unknown {
  const own = step[column];
  if (own !== undefined) return own;
  if (column === 'step') return index;
  if (column === 'started_at') return startedAt;
  if (column === 'decision') return 'choice';
  // A step without a tool is none.
  return column === 'tool' ? undefined : defaultOf(STEP_COLUMNS, column);
}

const STEP_NAMES: ReadonlySet<string> = new Set(STEP_COLUMNS.flatMap(({ name }) => (INHERITED.has(name) ? [] : [name])));

function defaultOf(columns: readonly Column[], name: string): unknown {
  switch (columns.find((column) => column.name === name)?.kind) {
    case 'text':
      return '';
    case 'bool':
      return false;
    case 'time':
    case 'maybe-float':
      return null;
    case 'texts':
    case 'integers':
    case 'tokens':
    case 'vector':
    case 'numbers':
      return [];
    case 'floats':
      return {};
    default:
      return 0;
  }
}

/** Which field of the line a column of `trajectories` was read from. */
const fieldOf =
  (isStep: boolean) =>
  (column: string): string => {
    const field = { task_id: 'task_id', agent: 'agent_id', policy_version: 'adapter_version', reward: 'score' }[column];
    if (field !== undefined) return field;
    if (!isStep && column === 'started_at') return 'timestamp';
    if (!isStep && column === 'answer') return 'response';
    return `metadata.${column === 'steps' ? STEP_COUNT : column}`;
  };

function encode(columns: readonly Column[], get: (name: string) => unknown, field: (name: string) => string): unknown[] {
  return columns.map(({ name, kind }) => encodeValue(kind, field(name), get(name)));
}
