import { isEnded } from '../../src/jobs/state.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { RunQuery } from '../admin/backend.ts';
import type { NodeContext } from '../runtime/context.ts';
import { writerBacklog } from '../../src/protocol/writer-durables.ts';
import { countStored, UnstoredGroups } from './unstored-groups.ts';

/** Rows are written within a second or two of the end of a job; after this long nothing is on its way. */
const SETTLED_MS = 60_000;
/** How long an export waits for rows of evaluations. */
const EVALUATED_MS = 5_000;
const PAUSE_MS = 250;

/**
 * Waits until the store has the rows of what a job has committed and measured so far, for at most 15 seconds: the store writes behind the job,
 * and who exports at its end wants all of it. Returns at once for jobs that ended a minute ago or more. Rows that were lost with a stream are
 * not waited for. A store that does not answer is for the export to report.
 */
export async function rowsArrived(
  context: Pick<NodeContext, 'bus' | 'clock' | 'weights' | 'log'>,
  query: RunQuery,
  { id, state, endedAt = 0, forked, evaluations }: JobRecord,
  signal: AbortSignal,
): Promise<void> {
  const { bus, clock, weights, log } = context;
  if (isEnded(state) && clock.now() - endedAt > SETTLED_MS) return;
  try {
    const ledger = (await weights.latest(id))?.manifest.ledger;
    if (ledger !== undefined) await new UnstoredGroups(id, countStored(query, clock), context, forked?.used).last(ledger);
    const expected = evaluations.reduce((sum, { tasks, failed }) => sum + tasks - failed, 0);
    const sql = `SELECT uniqExact(trajectory_id) FROM trajectories WHERE job = '${id}' AND purpose = 'evaluate' AND valid`;
    const deadline = clock.monotonic() + EVALUATED_MS;
    while (clock.monotonic() < deadline && !signal.aborted) {
      // A fork, or a job that was measured by another, lists evaluations whose rows are not its own.
      if (Number((await query(sql, 1, signal)).rows[0]?.[0] ?? 0) >= expected || (await writerBacklog(bus)) === 0) return;
      await clock.sleep(PAUSE_MS);
    }
  } catch (thrown) {
    log.debug({ err: thrown, job: id }, 'an export begins without knowing whether the store has all rows');
  }
}
