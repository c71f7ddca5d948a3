import { MillraceError } from '../../errors.ts';
import { literal } from '../engine.ts';
import { guardQuery } from '../sql/guard.ts';
import { sqlTokens } from '../sql/lexer.ts';
import type { Micros, RowPurpose } from '../../records/tables.ts';

/** Which trajectories; all conditions must hold. */
export interface TrajectoryFilter {
  job?: string | undefined;
  purpose?: RowPurpose | undefined;
  success?: boolean | undefined;
  task?: string | undefined;
  /** First and last policy version. */
  minVersion?: number | undefined;
  maxVersion?: number | undefined;
  /** Flows that began at this time or later ... */
  from?: Micros | undefined;
  /** ... and before this one. */
  until?: Micros | undefined;
  /** A condition in SQL over the columns of `trajectories`; see {@link guardWhere}. */
  where?: string | undefined;
}

/** The conditions of a filter as SQL; none for all trajectories. Throws `invalid_argument` with the field that is wrong. */
export function conditionsOf(filter: TrajectoryFilter): string[] {
  const { job, purpose, success, task, minVersion, maxVersion, from, until, where } = filter;
  const conditions: string[] = [];
  if (job !== undefined) conditions.push(`job = ${literal(job)}`);
  if (purpose !== undefined) conditions.push(`purpose = ${literal(purpose)}`);
  if (success !== undefined) conditions.push(success ? 'success' : 'NOT success');
  if (task !== undefined) conditions.push(`task_id = ${literal(task)}`);
  if (minVersion !== undefined) conditions.push(`policy_version >= ${integer('min_version', minVersion)}`);
  if (maxVersion !== undefined) conditions.push(`policy_version <= ${integer('max_version', maxVersion)}`);
  if (from !== undefined) conditions.push(`started_at >= fromUnixTimestamp64Micro(${integer('start_time', from)}, 'UTC')`);
  if (until !== undefined) conditions.push(`started_at < fromUnixTimestamp64Micro(${integer('end_time', until)}, 'UTC')`);
  if (where !== undefined) conditions.push(`(${guardWhere(where)}\n)`);
  return conditions;
}

/**
 * What the store says of a query with these conditions: where it is wrong, that is the caller's own condition, the one part that
 * the caller wrote.
 */
export function inWhere({ where }: TrajectoryFilter, thrown: unknown): unknown {
  const error = MillraceError.from(thrown);
  if (where === undefined || error.code !== 'invalid_argument' || error.field !== 'sql') return thrown;
  return new MillraceError('invalid_argument', `where: ${error.message}`, { cause: thrown, field: 'where' });
}

function integer(field: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new MillraceError('invalid_argument', `${field}: got ${value}, expected a whole number from 0.`, { field });
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

/**
 * Checks that `where` is one expression, which ends where it seems to end, and returns it: brackets match, so that it stays
 * within the brackets it is put in; it names nothing (AS), since a name would hold for the whole query; SELECT is allowed in
 * brackets only. What it calls and reads is judged with the query that it becomes a part of (src/store/sql/judge.ts). Throws
 * `invalid_argument` with field `where`.
 */
export function guardWhere(where: string): string {
  const open: { closer: string; scope: 'query' | 'cast' | 'brackets' }[] = [];
  try {
    const tokens = sqlTokens(where);
    if (tokens.length === 0) throw refuse('it is empty; leave it out, or write e.g. reward > 0 AND steps < 10');
    tokens.forEach((token, index) => {
      const before = tokens[index - 1];
      if (token.kind === 'symbol') {
        const closer = CLOSES[token.text];
        if (closer !== undefined) {
          const after = tokens[index + 1]?.text.toLowerCase();
          const scope = after === 'select' || after === 'with' || open.at(-1)?.scope === 'query' ? 'query' : 'brackets';
          open.push({ closer, scope: scope !== 'query' && before?.text.toLowerCase() === 'cast' ? 'cast' : scope });
        } else if (token.text === ')' || token.text === ']') {
          if (open.pop()?.closer !== token.text) throw refuse(`the "${token.text}" at character ${token.end} closes nothing`);
        } else if (/[;{}?]/.test(token.text)) throw refuse(`"${token.text}" has no place in a condition`);
        return;
      }
      if (token.kind !== 'word') return;
      const word = token.text.toLowerCase();
      const scope = open.at(-1)?.scope ?? 'brackets';
      if (word === 'as' && scope === 'brackets') throw refuse('AS gives a name that the rest of the query would see');
      if (CLAUSES.has(word) && scope !== 'query' && tokens[index + 1]?.text !== '(') {
        throw refuse(`${token.text} begins another clause; only a condition goes here`);
      }
    });
    if (open.length > 0) throw refuse(`a "${open.at(-1)!.closer}" is missing`);
    guardQuery(`SELECT 1 WHERE (${where}\n)`);
    return where;
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    throw new MillraceError(error.code, error.message.replace(/^query refused: /, 'where: '), { cause: thrown, field: 'where' });
  }
}

/** Words that begin something other than a condition. */
const CLAUSES = new Set(
  'select with from prewhere where group having order limit offset union intersect except settings format into window qualify fetch sample join array'.split(
    ' ',
  ),
);

function refuse(why: string): MillraceError {
  return new MillraceError('invalid_argument', `where: ${why}.`, { field: 'where' });
}
