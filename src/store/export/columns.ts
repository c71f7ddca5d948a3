import { TABLES } from '../../records/tables.ts';

/** What a column holds, and how it looks in JSON. */
export type Kind =
  | 'text'
  | 'bool'
  | 'uint16'
  | 'uint32'
  /** A number where a number is exact, else its digits as a text. */
  | 'uint64'
  /** Of 32 bits: a number, or "nan", "inf" and "-inf", for which JSON has none. */
  | 'float'
  /** The same, or null. */
  | 'maybe-float'
  /** The same with 64 bits. */
  | 'double'
  /** UTC in ISO 8601 with microseconds; null for "never happened". */
  | 'time'
  /** Array of integers of 16 bits. */
  | 'integers'
  /** Array of texts. */
  | 'texts'
  /** Array of token ids: integers of 32 bits. */
  | 'tokens'
  /** Array of floats; in encoded rows as base64. */
  | 'vector'
  /** Array of floats. */
  | 'numbers'
  /** Floats by name. */
  | 'floats';

/** A column of a table with its place in an encoded row. */
export interface Column {
  /** As queries name it. */
  name: string;
  kind: Kind;
}

const KINDS: Readonly<Record<'trajectories' | 'steps', Readonly<Record<string, Kind>>>> = {
  trajectories: {
    ...all('uint16', 'member steps tool_errors resamples'),
    ...all('uint32', 'policy_version dispatch_version'),
    ...all('uint64', 'sequence plan_us tool_us tokens_in tokens_out micro_dollars'),
    ...all('float', 'outcome reward advantage'),
    ...all('double', 'cost'),
    ...all('bool', 'success valid'),
    ...all('floats', 'components'),
    ...all('time', 'dispatched_at started_at ended_at scored_at'),
  },
  steps: {
    ...all('uint16', 'step open_actions'),
    ...all('uint32', 'policy_version plan_us tool_us tokens_in tokens_out'),
    ...all('float', 'log_probability entropy'),
    ...all('maybe-float', 'step_reward advantage'),
    ...all('bool', 'error verified'),
    ...all('integers', 'items'),
    ...all('texts', 'other_actions further_calls'),
    ...all('tokens', 'prompt tokens'),
    ...all('vector', 'state_flags'),
    ...all('numbers', 'other_probabilities token_log_probabilities'),
    ...all('time', 'started_at'),
  },
};

/** Columns of `trajectories`, in the order of encoded rows. */
export const TRAJECTORY_COLUMNS = columnsOf('trajectories');

/** Columns of `steps`, in the order of encoded rows. */
export const STEP_COLUMNS = columnsOf('steps');

/** Columns of `steps` that a step has from its trajectory. */
export const INHERITED: ReadonlySet<string> = new Set([
  'job',
  'trajectory_id',
  'request_id',
  'task_id',
  'purpose',
  'evaluation',
  'policy_version',
]);

function columnsOf(table: 'trajectories' | 'steps'): readonly Column[] {
  return TABLES[table].columns.map((column) => {
    // Vectors are written as base64 into a column of their own and read from another.
    const name = column.replace(/_base64$/, '');
    return { name, kind: KINDS[table][name] ?? 'text' };
  });
}

function all(kind: Kind, names: string): Record<string, Kind> {
  return Object.fromEntries(names.split(' ').map((name) => [name, kind]));
}
