import { MillraceError } from '../../src/errors.ts';
import { listingField, type JobListing, type ListingField } from './job-listing.ts';

/** What a job is placed by; an absent value comes before all others. */
export type OrderKey = readonly (string | number | null)[];

/** An order of jobs in which no two are equal. */
export interface JobOrder {
  key(listing: JobListing): OrderKey;
  compare(a: OrderKey, b: OrderKey): number;
  /** Whether a value read from a token can be a key of this order. */
  isKey(value: unknown): value is OrderKey;
}

const MOST_FIELDS = 5;

/**
 * Reads `order_by`, e.g. `priority desc, create_time`: fields of {@link JobListing}, ascending unless `desc` follows. Equal jobs are ordered by
 * id. Empty: the newest first. `invalid_argument` with field `order_by` for all else.
 */
export function parseOrderBy(orderBy: string): JobOrder {
  const text = orderBy.trim() === '' ? 'create_time desc, id desc' : orderBy;
  const parts = text.split(',').map(parsePart);
  if (parts.length > MOST_FIELDS) throw wrong(`has ${parts.length} fields; the most is ${MOST_FIELDS}.`);
  parts.push({ field: listingField('id', 'order_by'), sign: parts.at(-1)!.sign });
  return {
    key: (listing) => parts.map(({ field }) => field.of(listing) ?? null),
    compare: (a, b) => {
      for (const [i, { sign }] of parts.entries()) {
        const order = compareValues(a[i]!, b[i]!);
        if (order !== 0) return order * sign;
      }
      return 0;
    },
    isKey: (value): value is OrderKey =>
      Array.isArray(value) &&
      value.length === parts.length &&
      value.every((one, i) => one === null || typeof one === (isNumber(parts[i]!.field) ? 'number' : 'string')),
  };
}

interface Part {
  field: ListingField;
  sign: 1 | -1;
}

function parsePart(part: string): Part {
  const [, name, direction] = /^\s*(\S+)(?:\s+(asc|desc))?\s*$/.exec(part) ?? [];
  if (name === undefined) throw wrong(`${JSON.stringify(part.slice(0, 60))} is not a field with "asc" or "desc" or nothing.`);
  return { field: listingField(name, 'order_by'), sign: direction === 'desc' ? -1 : 1 };
}

function compareValues(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? -1 : 1;
  return a < b ? -1 : 1;
}

function isNumber({ kind }: ListingField): boolean {
  return kind === 'number' || kind === 'time';
}

function wrong(message: string): MillraceError {
  return new MillraceError('invalid_argument', `${message} Example: priority desc, create_time`, { field: 'order_by' });
}
