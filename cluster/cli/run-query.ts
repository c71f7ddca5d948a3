import { MillraceError } from '../../src/errors.ts';
import type { QueryResult } from '../../src/store/store.ts';
import { collectQuery } from '../admin/query-rows.ts';
import type { CliContext } from './context.ts';
import { storeIsAtRest, withStoreAtRest } from './store-at-rest.ts';

/** Runs one read-only statement and reads at most so many of its rows. */
export type AskSql = (sql: string, maxRows: number) => Promise<QueryResult>;

/**
 * Gives `use` a function that asks the cluster, or, where none is running, the store that the last one left, which is opened once. So
 * the questions of a report can be asked after its cluster has stopped.
 */
export async function withQueries<T>(context: CliContext, use: (ask: AskSql) => Promise<T>): Promise<T> {
  const { signal } = context;
  if (!storeIsAtRest(context)) {
    return context.withAdmin((admin) => use((sql, maxRows) => collectQuery(admin.query({ sql, maxRows }, { signal }))));
  }
  return withStoreAtRest(context, (store) => use((sql, maxRows) => store.query(sql, { maxRows, signal })));
}

/** The id of the newest job in the store or on the cluster; `not_found` when there is none. */
export async function newestJob(ask: AskSql): Promise<string> {
  // Imported jobs have no events.
  for (const newest of ['job_events ORDER BY at', 'trajectories ORDER BY ingested_at']) {
    const { rows } = await ask(`SELECT job FROM ${newest} DESC LIMIT 1`, 1);
    const job = rows[0]?.[0];
    if (typeof job === 'string') return job;
  }
  throw new MillraceError('not_found', 'There is no job yet; `millrace train` runs one.');
}

/** Why a question about a job has no answer, for people. */
export async function whyNoRows(ask: AskSql, job: string): Promise<string> {
  const found = ['trajectories', 'job_events'].map((table) => `SELECT job FROM ${table} WHERE job = '${job}' LIMIT 1`);
  const { rows } = await ask(`SELECT job FROM (${found.join(' UNION ALL ')})`, 1);
  return rows.length > 0
    ? `no rows: nothing that job ${job} left in the store answers this`
    : `no rows: nothing of a job ${job} is in the store; millrace store stats lists the jobs that are`;
}
