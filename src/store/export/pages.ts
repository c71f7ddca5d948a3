import { MillraceError } from '../../errors.ts';
import type { QueryResult, Store } from '../store.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import type { Column } from './columns.ts';
import { quote } from './filter.ts';
import { stepLine, trajectoryLine } from './line.ts';
import type { Row } from './line.ts';

/** Key of a trajectory: exports go through them in this order. */
export interface Key {
  job: string;
  trajectory: string;
}

/** What one trajectory gives: a line, or with steps one line a step. */
export interface Entry {
  key: Key;
  text: string;
}

/** Options of {@link entries}. */
export interface EntriesOptions {
  /** SQL conditions on `trajectories`. */
  conditions: readonly string[];
  /** Lines of steps instead of lines of trajectories. */
  steps: boolean;
  /** Begins after this trajectory. */
  after?: Key | undefined;
  signal?: AbortSignal | undefined;
  /** Trajectories read at once. Default 1000. */
  pageSize?: number | undefined;
}

/** Rows of steps read at once, unless one trajectory has more. */
const STEPS_AT_ONCE = 5000;
/** The most steps that a trajectory can have. */
const LONGEST = 65_536;

/**
 * Every trajectory that satisfies the conditions, with its steps, in the order of its key. Pages begin after the key of the last
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
        const key = keyOf(row);
        const own = found.get(key.trajectory) ?? [];
        yield { key, text: steps ? stepLines(row, own) : trajectoryLine(row, own) };
      }
    }
    if (page.length < pageSize) return;
    const last = keyOf(page.at(-1)!);
    if (after && last.job === after.job && last.trajectory === after.trajectory)
      throw new MillraceError('internal', `the export came back to trajectory ${last.trajectory}`);
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
  after?: Key | undefined;
  pageSize: number;
  signal?: AbortSignal | undefined;
}

async function readPage(store: Store, { conditions, after, pageSize, signal }: PageOptions): Promise<readonly Row[]> {
  const all = [...conditions];
  // Not (job, trajectory_id) > (...): that reads every part of the table from its beginning.
  if (after) {
    const [job, trajectory] = [quote(after.job), quote(after.trajectory)];
    all.push(`job >= ${job} AND (job > ${job} OR trajectory_id > ${trajectory})`);
  }
  const sql = `SELECT ${list(TRAJECTORY_COLUMNS, 't')} FROM trajectories AS t${where(all)} ORDER BY t.job, t.trajectory_id LIMIT ${pageSize}`;
  return (await store.query(sql, { maxRows: pageSize, ...(signal && { signal }) })).rows;
}

/** Steps of the trajectories of one job, by trajectory. */
async function readSteps(
  store: Store,
  slice: readonly Row[],
  { conditions, signal }: { conditions: readonly string[]; signal?: AbortSignal | undefined },
): Promise<Map<string, Row[]>> {
  const [first, last] = [keyOf(slice[0]!), keyOf(slice.at(-1)!)];
  const range = `job = ${quote(first.job)} AND trajectory_id >= ${quote(first.trajectory)} AND trajectory_id <= ${quote(last.trajectory)}`;
  const all = [range];
  // Between two trajectories that satisfy the conditions may be many that do not.
  if (conditions.length > 0)
    all.push(`trajectory_id IN (SELECT trajectory_id FROM trajectories${where([range, ...conditions])})`);
  const sql = `SELECT ${list(STEP_COLUMNS, 's')} FROM steps AS s${where(all)} ORDER BY s.job, s.trajectory_id, s.step`;
  const result: QueryResult = await store.query(sql, { maxRows: STEPS_AT_ONCE + LONGEST, ...(signal && { signal }) });
  if (result.truncated)
    throw new MillraceError('failed_precondition', `trajectory ${first.trajectory} has more steps than its row says`);
  const found = new Map<string, Row[]>();
  for (const row of result.rows) {
    const { trajectory } = keyOf(row);
    const known = found.get(trajectory);
    if (known) known.push(row);
    else found.set(trajectory, [row]);
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
    if (slice.length > 0 && (keyOf(slice[0]!).job !== keyOf(row).job || steps + count > STEPS_AT_ONCE)) {
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

/** Both tables begin with their key. */
const keyOf = (row: Row): Key => ({ job: String(row[0]), trajectory: String(row[1]) });

const list = (columns: readonly Column[], table: string): string => columns.map(({ name }) => `${table}.${name}`).join(', ');

const where = (conditions: readonly string[]): string => (conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '');
