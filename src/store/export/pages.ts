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
  /** Characters of lines that steps are read for at once, about. Default 16 Mi. */
  sliceLength?: number | undefined;
}

/** Rows of steps read at once, unless one trajectory has more: each query costs the same again. */
const MOST_STEPS = 8192;
/** At first, and where texts are long. */
const FEWEST_STEPS = 512;
const SLICE_LENGTH = 16 * 1024 * 1024;
/** The most steps that a trajectory can have. */
const LONGEST = 65_536;

/**
 * Every trajectory that satisfies the conditions, with its steps, in the order of the table. Pages begin after the last
 * row of the page before (never OFFSET), so that each costs what it holds: the key is the table's order. What is in memory is
 * one page. Rows written meanwhile are in it when their key comes later; none comes twice.
 */
export async function* entries(store: Store, options: EntriesOptions): AsyncGenerator<Entry> {
  const { conditions, steps, signal, pageSize = 1000, sliceLength = SLICE_LENGTH } = options;
  let after = options.after;
  let most = FEWEST_STEPS;
  for (;;) {
    const page = await readPage(store, { conditions, after, pageSize, signal });
    for (let at = 0; at < page.length;) {
      const slice = sliceOf(page, at, most);
      at += slice.length;
      const found = await readSteps(store, slice, { conditions, signal });
      let length = 0;
      for (const row of slice) {
        const own = found.get(idOf(row)) ?? [];
        const text = steps ? stepLines(row, own) : trajectoryLine(row, own);
        length += text.length;
        yield { position: positionOf(row), text };
      }
      // Texts of the next ones are likely as long as these; twice as many at most, lest they are not.
      const fitting = Math.floor((sliceLength * stepsOf(slice)) / Math.max(1, length));
      most = Math.max(FEWEST_STEPS, Math.min(MOST_STEPS, 2 * most, fitting));
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

/** Steps of the trajectories of one job, by trajectory. What is too large for the store is read in halves. */
async function readSteps(store: Store, slice: readonly Row[], options: StepsOptions): Promise<Map<string, Row[]>> {
  try {
    return await readStepsAtOnce(store, slice, options);
  } catch (error) {
    if (slice.length === 1 || MillraceError.from(error).code !== 'resource_exhausted') throw error;
  }
  const middle = slice.length >> 1;
  const first = await readSteps(store, slice.slice(0, middle), options);
  return new Map([...first, ...(await readSteps(store, slice.slice(middle), options))]);
}

interface StepsOptions {
  conditions: readonly string[];
  signal?: AbortSignal | undefined;
}

async function readStepsAtOnce(
  store: Store,
  slice: readonly Row[],
  { conditions, signal }: StepsOptions,
): Promise<Map<string, Row[]>> {
  const [first, last] = [positionOf(slice[0]!), positionOf(slice.at(-1)!)];
  const range = [`(${beyond(first, '>=')})`, `(${beyond(last, '<=')})`];
  const all = [...range];
  // Between two trajectories that satisfy the conditions may be many that do not.
  if (conditions.length > 0)
    all.push(`trajectory_id IN (SELECT trajectory_id FROM trajectories${where([...range, ...conditions])})`);
  const sql = `SELECT ${list(STEP_COLUMNS.map(nameOf), 's')} FROM steps AS s${where(all)} ORDER BY ${list([...ORDER, 'step'], 's')}`;
  const result: QueryResult = await store.query(sql, { maxRows: MOST_STEPS + LONGEST, ...(signal && { signal }) });
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

const STEPS_AT = TRAJECTORY_COLUMNS.findIndex(({ name }) => name === 'steps');

/** How many steps trajectories have, by their rows. */
const stepsOf = (rows: readonly Row[]): number => rows.reduce((sum, row) => sum + Number(row[STEPS_AT]), 0);

/** Trajectories of one job from `at` on, with at most so many steps, but at least one. */
function sliceOf(page: readonly Row[], at: number, most: number): readonly Row[] {
  let steps = Number(page[at]![STEPS_AT]);
  let end = at + 1;
  for (; end < page.length && jobOf(page[end]!) === jobOf(page[at]!); end += 1) {
    steps += Number(page[end]![STEPS_AT]);
    if (steps > most) break;
  }
  return page.slice(at, end);
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
