import { createHash } from 'node:crypto';
import { MillraceError } from '../../src/errors.ts';
import { parseFilter } from './filter.ts';
import type { JobListing } from './job-listing.ts';
import { parseOrderBy, type JobOrder, type OrderKey } from './order-by.ts';

/** Which jobs are asked for. */
export interface PageRequest {
  /** At least 1. */
  pageSize: number;
  /** Of the page before; empty for the first one. */
  pageToken: string;
  /** See {@link parseFilter}. */
  filter: string;
  /** See {@link parseOrderBy}. */
  orderBy: string;
}

/** One page of jobs. */
export interface JobPage {
  listings: JobListing[];
  /** Empty on the last page. */
  nextPageToken: string;
}

/**
 * Cuts a page out of all jobs. A token stands for the last job of the page before it, so that jobs created in between move
 * nothing; `invalid_argument` when it is none of ours, or belongs to another filter or order.
 */
export function pageOfJobs(jobs: readonly JobListing[], { pageSize, pageToken, filter, orderBy }: PageRequest): JobPage {
  const isWanted = parseFilter(filter);
  const order = parseOrderBy(orderBy);
  const list = createHash('sha256')
    .update(JSON.stringify([filter, orderBy]))
    .digest('base64url')
    .slice(0, 8);
  const after = pageToken === '' ? undefined : decodeToken(pageToken, list, order);
  const rest = jobs
    .filter(isWanted)
    .map((listing) => ({ listing, key: order.key(listing) }))
    .filter(({ key }) => after === undefined || order.compare(key, after) > 0)
    .sort((a, b) => order.compare(a.key, b.key));
  const page = rest.slice(0, pageSize);
  const last = page.at(-1);
  return {
    listings: page.map(({ listing }) => listing),
    nextPageToken: last !== undefined && rest.length > page.length ? encodeToken(last.key, list) : '',
  };
}

function encodeToken(key: OrderKey, list: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url');
}

function decodeToken(token: string, list: string, order: JobOrder): OrderKey {
  const [of, key] = parsed(Buffer.from(token, 'base64url').toString());
  if (typeof of !== 'string') throw wrong('is no page token');
  if (of !== list) throw wrong('belongs to a list with another filter or order_by');
  if (!order.isKey(key)) throw wrong('is no page token');
  return key;
}

function parsed(text: string): [of?: unknown, key?: unknown] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as [unknown, unknown]) : [];
  } catch {
    return [];
  }
}

function wrong(problem: string): MillraceError {
  return new MillraceError(
    'invalid_argument',
    `${problem}; use next_page_token of the page before, or nothing for the first page.`,
    {
      field: 'page_token',
    },
  );
}
