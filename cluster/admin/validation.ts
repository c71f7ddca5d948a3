import { MillraceError } from '../../src/errors.ts';
import { DEFAULT_OWNER, OWNER_PATTERN, PRIORITY } from '../../src/config/owner.ts';
import { AGENT_NAME } from '../jobs/agents.ts';

const JOB_ID = /^[a-z0-9][a-z0-9-]{0,39}$/;
/** Longest SQL statement, in characters. */
const LONGEST_SQL = 100_000;

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}

/** What a request id is refused with that came with another content before. @param what - that was created then, e.g. `job "a"` */
export function usedRequestId(what: string): MillraceError {
  const message = `was used for ${what}, with another content; give each request an id of its own.`;
  return new MillraceError('already_exists', message, { field: 'request_id' });
}

/** A job's id: lower-case letters, digits and '-', 1 to 40 characters, no '-' at the start. */
export function checkJobId(id: string): string {
  if (id === '') throw invalid('job_id', 'is missing; give the id of a job.');
  if (JOB_ID.test(id)) return id;
  throw invalid('job_id', `${quote(id)} is not a job id: use 1 to 40 lower-case letters, digits and "-", the first one no "-".`);
}

/** An owner's name; empty is "local". */
export function checkOwner(owner: string): string {
  if (owner === '') return DEFAULT_OWNER;
  if (OWNER_PATTERN.test(owner)) return owner;
  throw invalid('owner', `${quote(owner)} is not a valid owner name: use 1 to 64 of a-z, 0-9, ".", "_", "@" and "-".`);
}

/** A job's priority. */
export function checkPriority(priority: number): number {
  if (priority >= PRIORITY.min && priority <= PRIORITY.max) return priority;
  throw invalid('priority', `got ${priority}, expected ${PRIORITY.min} to ${PRIORITY.max}.`);
}

/** A UUID in small letters, or undefined for none. */
export function checkRequestId(id: string): string | undefined {
  if (id === '') return undefined;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id.toLowerCase();
  throw invalid('request_id', `${quote(id)} is not a UUID; use one such as "0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d", or nothing.`);
}

/** Digest of a bundle, or undefined for none. */
export function checkBundle(digest: string): string | undefined {
  if (digest === '') return undefined;
  if (/^[0-9a-f]{64}$/.test(digest)) return digest;
  throw invalid(
    'bundle_digest',
    `${quote(digest)} is not a digest; give the SHA-256 of an uploaded bundle, 64 lower-case hex digits.`,
  );
}

/** An integer from `min` to `max`; 0, which proto3 cannot tell from absent, is the default. */
export function checkCount(
  field: string,
  value: number,
  { min, max, byDefault }: { min: number; max: number; byDefault: number },
): number {
  if (value === 0) return byDefault;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid(field, `got ${value}, expected ${min} to ${max} (0 or absent: ${byDefault}).`);
}

/** A node's id, or undefined for all nodes. */
export function checkNodeId(id: string): string | undefined {
  if (id === '') return undefined;
  if (/^[\w.:-]{1,100}$/.test(id)) return id;
  throw invalid('node_id', `${quote(id)} is not a node id; \`millrace node list\` shows them.`);
}

/** One SQL statement. */
export function checkSql(sql: string): string {
  if (sql.trim() === '') throw invalid('sql', 'is empty; give one SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN or WITH statement.');
  if (sql.length > LONGEST_SQL) throw invalid('sql', `has ${sql.length} characters; the most is ${LONGEST_SQL}.`);
  return sql;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/** The place of a finding: bucket and key, or stream and durable. */
export function checkPlace(place: string): string {
  if (place.length <= 300 && /^[A-Za-z]+\/[\w./=-]+$/.test(place)) return place;
  throw new MillraceError(
    'invalid_argument',
    `${JSON.stringify(place.slice(0, 60))} is not a place; \`millrace doctor\` shows them.`,
    {
      field: 'place',
    },
  );
}

/** An agent's name. `invalid_argument` with `field` for what is none. */
export function checkAgentName(name: string, field = 'name'): string {
  if (AGENT_NAME.test(name)) return name;
  const shown = JSON.stringify(name.slice(0, 60));
  throw new MillraceError('invalid_argument', `${shown} is no agent's name: use 1 to 40 lower-case letters, digits and "-".`, {
    field,
  });
}
