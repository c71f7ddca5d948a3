import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { MillraceError } from '../../src/errors.ts';

/** One page of jobs, newest first. */
export interface JobPage {
  jobs: Job[];
  /** Empty on the last page. */
  nextPageToken: string;
}

/**
 * Cuts a page out of all jobs. A token stands for the last job of the page before it, so that jobs created in between move
 * nothing; `invalid_argument` when it is none of ours.
 */
export function pageOfJobs(jobs: readonly Job[], pageSize: number, token: string): JobPage {
  const after = token === '' ? undefined : decodeToken(token);
  const sorted = jobs.map((job) => ({ job, key: keyOf(job) })).sort((a, b) => compare(b.key, a.key));
  const rest = after === undefined ? sorted : sorted.filter(({ key }) => compare(key, after) < 0);
  const page = rest.slice(0, pageSize);
  const last = page.at(-1);
  return {
    jobs: page.map(({ job }) => job),
    nextPageToken: last !== undefined && rest.length > page.length ? encodeToken(last.key) : '',
  };
}

/** Creation time in nanoseconds since the epoch, then the id. */
type Key = readonly [time: bigint, id: string];

function keyOf(job: Job): Key {
  const time = job.createTime;
  return [time === undefined ? 0n : time.seconds * 1_000_000_000n + BigInt(time.nanos), job.id];
}

function compare(a: Key, b: Key): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] < b[1] ? -1 : Number(a[1] > b[1]);
}

function encodeToken([time, id]: Key): string {
  return Buffer.from(`${time} ${id}`).toString('base64url');
}

function decodeToken(token: string): Key {
  const match = /^(\d{1,20}) ([\w./=-]{1,256})$/.exec(Buffer.from(token, 'base64url').toString('latin1'));
  if (match?.[1] !== undefined && match[2] !== undefined) return [BigInt(match[1]), match[2]];
  throw new MillraceError(
    'invalid_argument',
    'is no page token; use next_page_token of the page before, or nothing for the first page.',
    {
      field: 'page_token',
    },
  );
}
