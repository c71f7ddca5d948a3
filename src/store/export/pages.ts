import { MillraceError } from '../../errors.ts';
import type { QueryResult, Store } from '../store.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import type { Column } from './columns.ts';
import { stepLine, trajectoryLine } from './line.ts';
import type { Row } from './line.ts';
import { beyond, ORDER, samePosition } from './position.ts';
import type { Position } from './position.ts';

/** What one trajectory gives: a line, or with steps one line a step. */
export interface Entry {
  position: Position;
  text: string;
}

/** Options of {@link entries}. */
export interface EntriesOptions {
  /** SQL conditions on `trajectories`. */
  conditions: readonly string[];
  /** Lines of steps instead of lines of trajectories. */
  steps: boolean;
  /** Begins after this trajectory. */
  after?: Position | undefined;
  signal?: AbortSignal | undefined;
  /** Trajectories read at once. Default 1000. */
  pageSize?: number | undefined;
}

/** Rows of steps read at once, unless one trajectory has more. */
const STEPS_AT_ONCE = 2000;
/** The most steps that a trajectory can have. */
const LONGEST = 65_536;

/**
 * Every trajectory that satisfies the conditions, with its steps, in the order of the table. Pages begin after the last
 * row of the page before (never OFFSET), so that each costs what it holds: the key is the table's order. What is in memory is
 * one page. Rows written meanwhile are in it when their key comes later; none comes twice.
 */
export async function* entries(store: Store, options: EntriesOptions): AsyncGenerator<Entry> {
  const { conditions, steps, signal, pageSize = 1000 } = options;
  let after = options.after;
  for (;;) {
    const page = await readPage(store, { conditions, after, pageSize, signal });
    for (const slice of slices(page)) {
      const found = await readSteps(store, slice, { conditions, signal });
      for (const row of slice) {
        const own = found.get(idOf(row)) ?? [];
        yield { position: positionOf(row), text: steps ? stepLines(row, own) : trajectoryLine(row, own) };
      }
    }
    if (page.length < pageSize) return;
    const last = positionOf(page.at(-1)!);
    if (after && samePosition(last, after)) throw new MillraceError('internal', 'the export came back to where it was');
    after = last;
  }
}

/** How many trajectories satisfy the conditions. */
export async function countEntries(store: Store, conditions: readonly string[], signal?: AbortSignal): Promise<number> {
  const { rows } = await store.query(`SELECT count() FROM trajectories${where(conditions)}`, { ...(signal && { signal }) });
  return Number(rows[0]?.[0] ?? 0);
}

interface PageOptions {
  conditions: readonly string[];
  after?: Position | undefined;
  pageSize: number;
  signal?: AbortSignal | undefined;
}

async function readPage(store: Store, { conditions, after, pageSize, signal }: PageOptions): Promise<readonly Row[]> {
  const all = after ? [...conditions, `(${beyond(after, '>')})`] : conditions;
  const columns = `${list(TRAJECTORY_COLUMNS.map(nameOf), 't')}, ${list(ORDER, 't')}`;
  const sql = `SELECT ${columns} FROM trajectories AS t${where(all)} ORDER BY ${list(ORDER, 't')} LIMIT ${pageSize}`;
  return (await store.query(sql, { maxRows: pageSize, ...(signal && { signal }) })).rows;
}

/** Steps of the trajectories of one job, by trajectory. */
async function readSteps(
  store: Store,
  slice: readonly Row[],
  { conditions, signal }: { conditions: readonly string[]; signal?: AbortSignal | undefined },
): Promise<Map<string, Row[]>> {
  const [first, last] = [positionOf(slice[0]!), positionOf(slice.at(-1)!)];
  const range = [`(${beyond(first, '>=')})`, `(${beyond(last, '<=')})`];
  const all = [...range];
  // Between two trajectories that satisfy the conditions may be many that do not.
  if (conditions.length > 0)
    all.push(`trajectory_id IN (SELECT trajectory_id FROM trajectories${where([...range, ...conditions])})`);
  const sql = `SELECT ${list(STEP_COLUMNS.map(nameOf), 's')} FROM steps AS s${where(all)} ORDER BY ${list([...ORDER, 'step'], 's')}`;
  const result: QueryResult = await store.query(sql, { maxRows: STEPS_AT_ONCE + LONGEST, ...(signal && { signal }) });
  if (result.truncated)
    throw new MillraceError('failed_precondition', `trajectory ${idOf(slice[0]!)} has more steps than its row says`);
  const found = new Map<string, Row[]>();
  for (const row of result.rows) {
    const known = found.get(idOf(row));
    if (known) known.push(row);
    else found.set(idOf(row), [row]);
  }
  return found;
}

/** Cuts a page where the job changes, and where there are many steps. */
function* slices(page: readonly Row[]): Generator<Row[]> {
  const stepsAt = TRAJECTORY_COLUMNS.findIndex(({ name }) => name === 'steps');
  let slice: Row[] = [];
  let steps = 0;
  for (const row of page) {
    const count = Number(row[stepsAt]);
    if (slice.length > 0 && (jobOf(slice[0]!) !== jobOf(row) || steps + count > STEPS_AT_ONCE)) {
      yield slice;
      slice = [];
      steps = 0;
    }
    slice.push(row);
    steps += count;
  }
  if (slice.length > 0) yield slice;
}

const stepLines = (row: Row, steps: readonly Row[]): string =>
  steps.map((step, index) => stepLine(row, step, steps[index - 1])).join('');

/** Both tables begin with these two. */
const jobOf = (row: Row): string => String(row[0]);
const idOf = (row: Row): string => String(row[1]);

/** Asked for after the columns. */
const positionOf = (row: Row): Position => row.slice(TRAJECTORY_COLUMNS.length) as Position;

const nameOf = ({ name }: Column): string => name;

const list = (columns: readonly string[], table: string): string => columns.map((name) => `${table}.${name}`).join(', ');

const where = (conditions: readonly string[]): string => (conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '');
