import { MillraceError } from '../../src/errors.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { AdminClient } from './admin-client.ts';
import { stateName } from './progress.ts';

/** Names of the states that a job may have. */
export const STATES: readonly string[] = Object.values(JobState)
  .filter((state): state is JobState => typeof state === 'number' && state !== JobState.UNSPECIFIED)
  .map(stateName);

/** The states named by `--status running,paused`; may be given several times. `invalid_argument` for words that are none. */
export function parseStates(texts: readonly string[]): Set<string> {
  const names = texts.flatMap((text) => text.split(',').map((name) => name.trim().toLowerCase()));
  for (const name of names) {
    if (STATES.includes(name)) continue;
    const message = `--status: "${name}" is not a job state; use ${STATES.join(', ')}, separated by commas.`;
    throw new MillraceError('invalid_argument', message, { field: '--status' });
  }
  return new Set(names);
}

/** A filter of ListJobs for jobs in any of these states, of an owner; what is undefined does not matter. */
export function jobsFilter(states: ReadonlySet<string> | undefined, owner?: string): string {
  const parts = [];
  if (states !== undefined) parts.push(`(${[...states].map((state) => `state=${state.toUpperCase()}`).join(' OR ')})`);
  if (owner !== undefined) parts.push(`owner="${owner}"`);
  return parts.join(' AND ');
}

/** Jobs of the cluster, newest first: at most `limit` of those that a filter of the admin API takes. */
export async function listJobs(admin: AdminClient, limit: number, filter = ''): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let pageToken = ''; ;) {
    const page = await admin.listJobs({ pageSize: Math.min(1000, limit - jobs.length), pageToken, filter });
    jobs.push(...page.jobs);
    pageToken = page.nextPageToken;
    if (pageToken === '' || jobs.length >= limit) return jobs.slice(0, limit);
  }
}

/** Which jobs a command is to change. */
export interface Selection {
  ids: readonly string[];
  /** All in a state that the command acts on. */
  all?: boolean | undefined;
  /** All in one of these states. */
  status?: readonly string[] | undefined;
}

/**
 * The ids that a selection stands for; `acts` are the states that `--all` means. `invalid_argument` unless it is either ids or one of
 * the options.
 */
export async function selectedJobs(
  admin: AdminClient,
  { ids, all, status }: Selection,
  acts: readonly string[],
): Promise<string[]> {
  const byState = all === true || status !== undefined;
  if (ids.length > 0 === byState) {
    const message = byState
      ? 'Name jobs, or give --all or --status, not both.'
      : 'Name at least one job, or give --all or --status.';
    throw new MillraceError('invalid_argument', message, { field: 'id' });
  }
  if (!byState) return [...new Set(ids)];
  const states = status === undefined ? new Set(acts) : parseStates(status);
  return (await listJobs(admin, Infinity, jobsFilter(states))).map(({ id }) => id);
}

/** What came of changing several jobs. */
export interface Changes {
  changed: Job[];
  failed: { id: string; error: MillraceError }[];
}

/** Changes one job after the other; one that cannot be changed does not keep the others from it. */
export async function changeJobs(ids: readonly string[], change: (id: string) => Promise<Job>): Promise<Changes> {
  const changes: Changes = { changed: [], failed: [] };
  for (const id of ids) {
    try {
      changes.changed.push(await change(id));
    } catch (thrown) {
      changes.failed.push({ id, error: MillraceError.from(thrown) });
    }
  }
  return changes;
}

/** The error of a command that could not change all of its jobs, with the code of the first one; undefined when it could. */
export function failureOf({ changed, failed }: Changes): MillraceError | undefined {
  const [first, ...others] = failed;
  if (first === undefined) return undefined;
  if (changed.length === 0 && others.length === 0) return first.error;
  const reasons = failed.map(({ id, error }) => `${id}: ${error.message}`).join('\n  ');
  return new MillraceError(first.error.code, `${failed.length} of ${changed.length + failed.length} jobs failed:\n  ${reasons}`, {
    cause: first.error,
    retryable: failed.every(({ error }) => error.retryable),
  });
}
