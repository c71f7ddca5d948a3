import { INHERITED, STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import type { Column, Kind } from './columns.ts';
import { openEnvelope } from './envelope.ts';

/** A row as a query gives it, in the order of the columns asked for. */
export type Row = readonly unknown[];

/** Columns of `trajectories` that are fields of an interaction; all others are in its metadata. */
const FIELDS = new Set(['task_id', 'agent', 'policy_version', 'reward', 'answer', 'started_at']);

/** What the number of a trajectory's steps is called: `steps` are the steps themselves. */
export const STEP_COUNT = 'step_count';

/** A trajectory with its steps as one interaction: one line of JSON, with its line feed. */
export function trajectoryLine(row: Row, steps: readonly Row[]): string {
  const get = reader(TRAJECTORY_COLUMNS, row);
  const { input, response, extra } = openEnvelope(text(get('answer')));
  const metadata = [...trajectoryMembers(row, FIELDS), member('steps', `[${steps.map(stepObject).join(',')}]`)];
  for (const [name, value] of Object.entries(extra)) metadata.push(member(name, JSON.stringify(value)));
  return interaction(get, { input, response, timestamp: get('started_at'), metadata });
}

/**
 * A step as an interaction. Its input is what the step before it gave, its response the call; the trajectory's own answer and
 * beginning are in the metadata.
 */
export function stepLine(row: Row, step: Row, before: Row | undefined): string {
  const get = reader(TRAJECTORY_COLUMNS, row);
  const own = reader(STEP_COLUMNS, step);
  const without = new Set([...FIELDS].filter((name) => name !== 'answer' && name !== 'started_at'));
  return interaction(get, {
    input: before === undefined ? null : text(reader(STEP_COLUMNS, before)('result')),
    response: `{"tool":${JSON.stringify(own('tool'))},"arguments":${JSON.stringify(parsed(text(own('arguments'))))}}`,
    timestamp: own('started_at'),
    metadata: [...trajectoryMembers(row, without), member('step', stepObject(step))],
  });
}

interface Interaction {
  input: string | null;
  response: string;
  timestamp: unknown;
  /** Members as JSON. */
  metadata: readonly string[];
}

function interaction(get: (column: string) => unknown, { input, response, timestamp, metadata }: Interaction): string {
  const members = [
    member('task_id', value('text', get('task_id'))),
    member('input', JSON.stringify(input)),
    member('response', JSON.stringify(response)),
    // What failed for reasons that are not the policy's was never scored.
    member('score', get('valid') === true ? value('float', get('reward')) : 'null'),
    member('agent_id', value('text', get('agent'))),
    member('adapter_version', value('uint32', get('policy_version'))),
    member('timestamp', value('time', timestamp)),
    member('metadata', `{${metadata.join(',')}}`),
  ];
  return `{${members.join(',')}}\n`;
}

function trajectoryMembers(row: Row, without: ReadonlySet<string>): string[] {
  const get = reader(TRAJECTORY_COLUMNS, row);
  const members = TRAJECTORY_COLUMNS.flatMap(({ name, kind }) =>
    without.has(name) ? [] : [member(name === 'steps' ? STEP_COUNT : name, value(kind, get(name)))],
  );
  if (get('valid') !== true && get('reward') !== 0) members.push(member('reward', value('float', get('reward'))));
  return members;
}

function stepObject(row: Row): string {
  const get = reader(STEP_COLUMNS, row);
  const own = STEP_COLUMNS.filter(({ name }) => !INHERITED.has(name));
  return `{${own.map(({ name, kind }) => member(name, value(kind, get(name)))).join(',')}}`;
}

const reader = (columns: readonly Column[], row: Row): ((name: string) => unknown) => {
  const at = positions(columns);
  return (name) => row[at.get(name)!];
};

const POSITIONS = new Map<readonly Column[], ReadonlyMap<string, number>>();

function positions(columns: readonly Column[]): ReadonlyMap<string, number> {
  let known = POSITIONS.get(columns);
  if (!known) {
    known = new Map(columns.map(({ name }, index) => [name, index]));
    POSITIONS.set(columns, known);
  }
  return known;
}

const member = (name: string, json: string): string => `${JSON.stringify(name)}:${json}`;

const text = (given: unknown): string => (typeof given === 'string' ? given : '');

/** What a query gave, as JSON. */
function value(kind: Kind, given: unknown): string {
  switch (kind) {
    case 'time':
      return time(text(given));
    case 'floats': {
      // In one order, whichever the engine has them in.
      const entries = Object.entries(given as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
      return `{${entries.map(([name, number]) => member(name, float(number))).join(',')}}`;
    }
    case 'vector':
    case 'numbers':
      return `[${(given as unknown[]).map(float).join(',')}]`;
    case 'float':
    case 'maybe-float':
    case 'double':
      return float(given);
    default:
      return JSON.stringify(given);
  }
}

const float = (given: unknown): string => (Object.is(given, -0) ? '-0' : JSON.stringify(given));

const NEVER = '1970-01-01 00:00:00.000000';

/** "2026-01-01 00:00:00.000000" as ISO 8601 with its zone. */
const time = (given: string): string => (given === NEVER ? 'null' : `"${given.replace(' ', 'T')}Z"`);

/** The value of a JSON text; the text itself where it was cut. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
