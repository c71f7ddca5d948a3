import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryResult } from '../../src/store/store.ts';
import { idOf } from '../load/messages.ts';
import type { GroupTemplate } from '../load/templates.ts';

/** Milliseconds between two questions: what a latency is too long by at most, besides the time of the answer. */
export const POLL_MS = 50;

/** What is waited for. */
export interface Probes {
  job: string;
  /** Ascending. */
  sequences: readonly number[];
  templates: readonly GroupTemplate[];
}

/**
 * Asks the store again and again until every probe can be queried, its trajectories and all of its steps, as a user would see
 * them. Returns by sequence the Unix time in ms at which the answer was there; what is missing when `signal` aborts is missing.
 */
export async function awaitQueryable(
  query: (sql: string) => Promise<QueryResult>,
  { job, sequences, templates }: Probes,
  signal: AbortSignal,
): Promise<Map<number, number>> {
  const templateOf = (sequence: number): GroupTemplate => templates[sequence % templates.length]!;
  const waiting = new Map(sequences.map((sequence) => [idOf(job, sequence, templateOf(sequence).taskId), sequence]));
  const seen = new Map<number, number>();
  while (waiting.size > 0 && !signal.aborted) {
    // Ids sort by round: what was seen before is not read again.
    const [oldest] = waiting.keys();
    const where = `WHERE job = '${job}' AND trajectory_id >= '${oldest!.slice(0, oldest!.lastIndexOf('#') - templateOf(waiting.get(oldest!)!).taskId.length)}'`;
    const counted = async (table: string): Promise<Map<string, number>> => {
      const { rows } = await query(`SELECT request_id, count() FROM ${table} ${where} GROUP BY request_id`);
      return new Map(rows.map(([id, count]) => [String(id), Number(count)]));
    };
    const trajectories = await counted('trajectories');
    if ([...trajectories.keys()].some((id) => waiting.has(id))) {
      const steps = await counted('steps');
      const now = performance.timeOrigin + performance.now();
      for (const [id, sequence] of waiting) {
        const template = templateOf(sequence);
        if (trajectories.get(id) !== template.trajectories.length || steps.get(id) !== template.steps.length) continue;
        waiting.delete(id);
        seen.set(sequence, now);
      }
    }
    await sleep(POLL_MS);
  }
  return seen;
}
