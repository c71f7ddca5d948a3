/** Process that runs named queries on a filled folder, as the store node would. */
import { readFileSync, writeFileSync } from 'node:fs';
import { EmbeddedEngine } from '../../src/store/embedded.ts';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import { namedQuery, queryParameters, QUERY_NAMES, type QueryName } from '../../src/store/queries.ts';
import { serveOrders } from '../load/worker.ts';
import { JOB } from './rows.ts';

/** What to run. */
export interface MeasureOrder {
  folder: string;
  queries: readonly string[];
  repeat: number;
}

/** One run of one query. */
export interface MeasureEvent {
  query: string;
  seconds: number;
}

/** One query, as it answered. */
export interface MeasuredQuery {
  query: string;
  /** Of each run, in the order of the runs. */
  seconds: number[];
  /** Processor seconds of each run, background work of the engine included: they move less with what else the machine does. */
  cpuSeconds: number[];
  rows: number;
  /** Rows that the engine read for one answer. */
  rowsRead: number;
  /** By how much the process grew at its peak over all runs of the query. */
  peakBytes: number;
  /** Why it has no answer. */
  error?: string;
}

serveOrders<MeasureOrder, MeasuredQuery[], MeasureEvent>(async ({ folder, queries, repeat }, emit) => {
  const names = QUERY_NAMES.filter((name) => queries.length === 0 || queries.includes(name));
  const store = await openEmbeddedStore({ path: folder });
  const measured: MeasuredQuery[] = [];
  try {
    for (const name of names) measured.push(await measure(name));
  } finally {
    await store.close();
  }
  // How much was read is not for users of the store to see: the engine underneath says it.
  const engine = await EmbeddedEngine.open(folder, 2 * 1024 ** 3);
  try {
    for (const query of measured)
      if (query.error === undefined) query.rowsRead = await rowsRead(engine, query.query as QueryName);
  } finally {
    await engine.close();
  }
  return measured;

  async function measure(name: QueryName): Promise<MeasuredQuery> {
    const { sql, parameters } = asked(name);
    const query: MeasuredQuery = { query: name, seconds: [], cpuSeconds: [], rows: 0, rowsRead: 0, peakBytes: 0 };
    try {
      const before = resetPeak();
      for (let run = 0; run < repeat; run += 1) {
        const began = performance.now();
        const used = process.cpuUsage();
        const { rows } = await store.query(sql, { parameters });
        query.seconds.push((performance.now() - began) / 1000);
        const { user, system } = process.cpuUsage(used);
        query.cpuSeconds.push((user + system) / 1e6);
        query.rows = rows.length;
        emit({ query: name, seconds: query.seconds.at(-1)! });
      }
      query.peakBytes = Math.max(0, status('VmHWM') - before);
    } catch (error) {
      query.error = error instanceof Error ? error.message : String(error);
    }
    return query;
  }
});

/** A query with its defaults; one that compares two jobs compares the job with itself, so that both have all the rows. */
function asked(name: QueryName): { sql: string; parameters: Record<string, string> } {
  const query = namedQuery(name);
  // The rows are of one job, whose evaluations are all of the trained policy.
  const given = { other: JOB, candidate: 'trained', baseline: 'trained' };
  const known = Object.entries(given).filter(([key]) => query.parameters.some((parameter) => parameter.name === key));
  return { sql: query.template, parameters: queryParameters(query, JOB, Object.fromEntries(known)) };
}

async function rowsRead(engine: EmbeddedEngine, name: QueryName): Promise<number> {
  const { sql, parameters } = asked(name);
  const printed = await engine.run(`${sql}\nSETTINGS final = 1, max_threads = 1 FORMAT JSON`, {
    reading: true,
    parameters,
  });
  return (JSON.parse(printed) as { statistics: { rows_read: number } }).statistics.rows_read;
}

/** Bytes of a line of /proc/self/status; 0 where there is none. */
function status(name: string): number {
  try {
    const text = readFileSync('/proc/self/status', 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** The kernel forgets the highest resident size; returns the size now. */
function resetPeak(): number {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not allowed: the peak is then that of the process so far.
  }
  return status('VmRSS');
}
