import { MillraceError } from '../../src/errors.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { JOB_STATES, type JobStateName } from '../../src/jobs/state.ts';

/** What lists of jobs choose and sort by: what the record says, so that no view is made of jobs that are not shown. */
export interface JobListing {
  id: string;
  /** Of its configuration; empty when the record cannot be read. */
  name: string;
  flow: string;
  state: JobStateName | 'UNREADABLE';
  owner: string;
  priority: number;
  /** Unix milliseconds. */
  createTime: number;
  startTime: number | undefined;
  endTime: number | undefined;
  /** Of its record: grows with every change of any record. */
  revision: number;
  /** The whole job as it is now. */
  view(): Promise<Job>;
}

/** A field of {@link JobListing} in filters and orders. */
export interface ListingField {
  kind: 'text' | 'number' | 'time' | 'state';
  of: (listing: JobListing) => string | number | undefined;
}

const FIELDS: Readonly<Record<string, ListingField>> = {
  id: { kind: 'text', of: ({ id }) => id },
  name: { kind: 'text', of: ({ name }) => name },
  flow: { kind: 'text', of: ({ flow }) => flow },
  state: { kind: 'state', of: ({ state }) => state },
  owner: { kind: 'text', of: ({ owner }) => owner },
  priority: { kind: 'number', of: ({ priority }) => priority },
  create_time: { kind: 'time', of: ({ createTime }) => createTime },
  start_time: { kind: 'time', of: ({ startTime }) => startTime },
  end_time: { kind: 'time', of: ({ endTime }) => endTime },
};

/** States that a filter may name. */
export const LISTED_STATES: readonly string[] = [...JOB_STATES, 'UNREADABLE'];

/** The field of that name. `invalid_argument` about `where` when jobs are not listed by it. */
export function listingField(name: string, where: 'filter' | 'order_by'): ListingField {
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (field !== undefined) return field;
  const message = `${JSON.stringify(name.slice(0, 60))} is no field to list jobs by; there are ${Object.keys(FIELDS).join(', ')}.`;
  throw new MillraceError('invalid_argument', message, { field: where });
}
