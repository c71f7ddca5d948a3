import type { JobConfig } from '../config/job.ts';
import { storedJobConfigSchema } from '../config/stored-job.ts';
import { wordsOf } from '../algo/schema/issue-words.ts';
import { MillraceError } from '../errors.ts';
import { checkedRecordSchema, jobRecordSchema, RECORD_FORMAT, type JobRecord } from './record.ts';
import { isEnded, JOB_STATES } from './state.ts';

/** What was stored in place of a configuration that was read leniently; written back as it was. */
const storedConfigs = new WeakMap<JobConfig, unknown>();

/** A record's configuration as it is stored: of an ended job it may hold keys and values that this version does not know. */
export function storedConfig(config: JobConfig): unknown {
  return storedConfigs.get(config) ?? config;
}

/**
 * A record as bucket `jobs` keeps it.
 *
 * @param before - what is stored now; keys in it that this version does not know are kept
 */
export function encodeJobRecord(record: JobRecord, before?: Uint8Array): Uint8Array {
  const stored = { ...(before && unknownKeys(before)), ...record, config: storedConfig(record.config) };
  return new TextEncoder().encode(JSON.stringify(stored));
}

function unknownKeys(bytes: Uint8Array): Record<string, unknown> {
  const json = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(json).filter(([key]) => !Object.hasOwn(jobRecordSchema.shape, key)));
}

/**
 * Configurations that were checked before, by their text. A record is written every round and read by every node, and nearly all of the
 * time of reading it went into its configuration, which never changes.
 */
const checkedConfigs = new Map<string, JobConfig>();
/** More than jobs that run at once. */
const MAX_CHECKED_CONFIGS = 512;

/**
 * Reads what {@link encodeJobRecord} wrote. The configuration of a job that has ended is only shown: keys and values that this
 * version does not accept are set aside (see {@link storedConfig}).
 *
 * @param key - the key it was read from, which must be the job's id
 * @throws MillraceError `failed_precondition` when a newer version wrote it, `data_loss` with the field when it is damaged.
 */
export function decodeJobRecord(bytes: Uint8Array, key?: string): JobRecord {
  const text = textOf(bytes);
  const before = readRecords.get(text);
  if (before !== undefined && (key === undefined || key === before.id)) return before;
  const record = readRecord(text, key);
  keep(readRecords, text, record, MAX_READ_RECORDS);
  return record;
}

/**
 * Records that were read last, by their text: where several nodes share a process each of them reads every change, and whoever changes a
 * record reads what it has just been told of. Nobody changes a record in place.
 */
const readRecords = new Map<string, JobRecord>();
const MAX_READ_RECORDS = 16;

function readRecord(stored: string, key: string | undefined): JobRecord {
  const json = parsed(stored);
  const { format, config, state } = json;
  if (typeof format === 'number' && format > RECORD_FORMAT) {
    throw new MillraceError(
      'failed_precondition',
      `a newer version of Millrace wrote it (format ${format}; this version reads ${RECORD_FORMAT}): upgrade`,
      { field: 'format' },
    );
  }
  const ended = JOB_STATES.some((name) => name === state && isEnded(name));
  const text = config === undefined ? undefined : `${ended ? 'ended' : 'open'} ${JSON.stringify(config)}`;
  const known = (text === undefined ? undefined : checkedConfigs.get(text)) ?? (ended ? lenientConfig(config) : undefined);
  const result = known ? checkedRecordSchema.safeParse({ ...json, config: known }) : jobRecordSchema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    throw new MillraceError(
      'data_loss',
      `${field === '' ? '' : `${field}: `}${issue === undefined ? 'not valid' : `expected ${wordsOf(issue)}`}`,
      {
        field,
        cause: result.error,
      },
    );
  }
  const record = result.data;
  if (key !== undefined && record.id !== key)
    throw new MillraceError('data_loss', `it is the record of job "${record.id}", under another key`, { field: 'id' });
  if (text !== undefined && !checkedConfigs.has(text)) keep(checkedConfigs, text, record.config, MAX_CHECKED_CONFIGS);
  return record;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw notJson(cause);
  }
}

function notJson(cause: unknown): MillraceError {
  return new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
}

function parsed(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw notJson(cause);
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new MillraceError('data_loss', 'it is not a JSON object');
}

/** Keeps an entry in place of the oldest one. */
function keep<V>(kept: Map<string, V>, text: string, value: V, most: number): void {
  const [oldest] = kept.size < most ? [] : kept.keys();
  if (oldest !== undefined) kept.delete(oldest);
  kept.set(text, value);
}

/** Problems that are mended one after the other, at most: a configuration has some dozens of keys. */
const MAX_MENDED = 200;

/** A configuration with defaults in place of what this version does not accept. */
function lenientConfig(stored: unknown): JobConfig {
  const copy: unknown = structuredClone(stored);
  for (let mended = 0; mended < MAX_MENDED; mended += 1) {
    const result = storedJobConfigSchema.safeParse(copy);
    if (result.success) return remembered(result.data, stored);
    const issue = result.error.issues[0]!;
    const gone = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    if (!gone.every((path) => deleteAt(copy, path))) break;
  }
  return remembered(storedJobConfigSchema.parse({ name: 'unknown', flow: 'unknown' }), stored);
}

function remembered(config: JobConfig, stored: unknown): JobConfig {
  storedConfigs.set(config, stored);
  return config;
}

/** False when there is nothing at the path. */
function deleteAt(value: unknown, path: readonly PropertyKey[]): boolean {
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
  const key = path.at(-1);
  if (key === undefined || typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, key)) return false;
  return Reflect.deleteProperty(parent, key);
}
