import type { StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { MillraceError } from '../../errors.ts';
import type { BucketSpec, StreamSpec, Topology } from '../topology.ts';
import { API_ERRORS, apiCode, isTransient } from './errors.ts';
import type { JetStreamConnection } from './connection.ts';

/** What is asked of the server for a stream; everything in it is compared with the echo. */
export type AskedConfig = Partial<StreamConfig> & { name: string };

/** The server's words for a stream. */
export function streamConfig(spec: StreamSpec, replicas: number | undefined): AskedConfig {
  return {
    name: spec.name,
    subjects: [spec.subjects],
    retention: spec.retention,
    discard: spec.discard,
    storage: 'file',
    max_bytes: spec.maxBytes,
    max_msgs: spec.maxMessages,
    max_age: nanos(spec.maxAgeMs),
    max_msgs_per_subject: spec.maxPerSubject,
    duplicate_window: nanos(spec.duplicateWindowMs),
    ...(replicas !== undefined && { num_replicas: replicas }),
    allow_direct: true,
  };
}

/** The stream under a bucket, laid out as every NATS client and the nats tool expect it. */
export function bucketConfig(spec: BucketSpec, replicas: number | undefined): AskedConfig {
  return {
    name: bucketStream(spec.name),
    subjects: [`$KV.${spec.name}.>`],
    retention: 'limits',
    discard: 'new',
    storage: 'file',
    max_bytes: spec.maxBytes,
    max_age: nanos(spec.ttlMs),
    max_msgs_per_subject: 1,
    duplicate_window: nanos(spec.ttlMs === 0 ? 120_000 : Math.min(120_000, spec.ttlMs)),
    ...(replicas !== undefined && { num_replicas: replicas }),
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
  };
}

/** What is asked of a server of its own for every stream and bucket, by the name of the stream. */
export function allStreamConfigs({ streams, buckets, replicas }: Topology): AskedConfig[] {
  return [...streams.map((spec) => streamConfig(spec, replicas)), ...buckets.map((spec) => bucketConfig(spec, replicas))];
}

export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}

/**
 * Throws `failed_precondition`, naming the field, where the server's echo of a configuration is not what was asked: servers
 * drop what they do not know without an error.
 */
export function checkEcho(asked: AskedConfig, echoed: Partial<StreamConfig>): void {
  const field = firstDifference(asked, echoed);
  if (field === undefined) return;
  const has = JSON.stringify(echoed[field]);
  throw new MillraceError(
    'failed_precondition',
    `stream ${asked.name}: asked for ${field} = ${JSON.stringify(asked[field])}, the server has ${has ?? 'dropped it'}; ` +
      `use a server that supports it, or remove the stream if it was made by something else`,
    { field: `${asked.name}.${field}` },
  );
}

function firstDifference(asked: AskedConfig, echoed: Partial<StreamConfig>): keyof StreamConfig | undefined {
  return differences(asked, echoed)[0];
}

function differences(asked: AskedConfig, echoed: Partial<StreamConfig>): (keyof StreamConfig)[] {
  return (Object.keys(asked) as (keyof StreamConfig)[]).filter((key) => {
    const want = asked[key];
    // The server leaves out what is false.
    const have = echoed[key] ?? (typeof want === 'boolean' ? false : undefined);
    return JSON.stringify(want) !== JSON.stringify(have);
  });
}

/** The error of an update that the server refuses: the settings that differ, what is there, and what was asked for. */
function fixedSettings(asked: AskedConfig, has: Partial<StreamConfig>, cause: unknown): MillraceError {
  const said = cause instanceof Error ? ` (${cause.message})` : '';
  const fixed = fixedDifferences(asked, has);
  const fields = fixed.length > 0 ? fixed : differences(asked, has);
  return new MillraceError(
    'failed_precondition',
    `stream ${asked.name} exists with other settings, which the server does not change${said}: ${differenceText(asked, has, fields)}`,
    { cause, field: `${asked.name}.${fields[0]}` },
  );
}

/** Whether the server refused an update for what it says, not for want of room or of an answer. */
function isAboutSettings(thrown: unknown): boolean {
  const code = apiCode(thrown);
  return code !== undefined && !WANT_OF_ROOM.includes(code) && !isTransient(thrown);
}

const WANT_OF_ROOM: readonly number[] = [API_ERRORS.insufficientResources, API_ERRORS.memoryExceeded, API_ERRORS.storageExceeded];

/** Settings that no nats-server changes on a stream that exists. */
const FIXED: readonly (keyof StreamConfig)[] = ['storage', 'retention'];

function fixedDifferences(asked: AskedConfig, has: Partial<StreamConfig>): (keyof StreamConfig)[] {
  return differences(asked, has).filter((key) => FIXED.includes(key));
}

/** What of a stream that exists cannot be brought in line, in words; undefined when nothing is. */
export function fixedProblem(asked: AskedConfig, has: Partial<StreamConfig>): string | undefined {
  const fields = fixedDifferences(asked, has);
  return fields.length === 0 ? undefined : differenceText(asked, has, fields);
}

function differenceText(asked: AskedConfig, has: Partial<StreamConfig>, fields: readonly (keyof StreamConfig)[]): string {
  return fields
    .map((key) => `its ${key} is ${JSON.stringify(has[key]) ?? 'nothing'}, not ${JSON.stringify(asked[key])}`)
    .join('; ');
}

/** What the server has of a stream; `created` undefined when it has none. */
export function inspectStream(
  asked: AskedConfig,
  found: StreamInfo | undefined,
): { created: string | undefined; problem: string | undefined; fixed: boolean } {
  if (found === undefined) return { created: undefined, problem: undefined, fixed: false };
  const fields = differences(asked, found.config);
  return {
    created: found.created,
    problem: fields.length === 0 ? undefined : differenceText(asked, found.config, fields),
    fixed: fixedDifferences(asked, found.config).length > 0,
  };
}

/** Every stream of the account by its name, with one request for 256 of them. */
export function listStreams(link: JetStreamConnection): Promise<Map<string, StreamInfo>> {
  return link.call('listing streams', async () => {
    const found = new Map<string, StreamInfo>();
    for await (const info of link.jsm.streams.list()) found.set(info.config.name, info);
    return found;
  });
}

function streamInfo(link: JetStreamConnection, name: string): Promise<StreamInfo | undefined> {
  return link.call(`stream ${name}`, () =>
    link.jsm.streams.info(name).catch((thrown: unknown) => {
      if (apiCode(thrown) === API_ERRORS.streamNotFound) return undefined;
      throw thrown;
    }),
  );
}

/** Creates the stream, or brings an existing one in line, and checks the echo. */
export async function ensureStream(link: JetStreamConnection, asked: AskedConfig): Promise<void> {
  const what = `stream ${asked.name}`;
  const { streams } = link.jsm;
  const found = await streamInfo(link, asked.name);
  if (found !== undefined && firstDifference(asked, found.config) === undefined) return;
  const info = await link.call(what, () =>
    (found === undefined ? streams.add({ ...asked }) : streams.update(asked.name, { ...asked })).catch((thrown: unknown) => {
      // Made by another node meanwhile: what it has is compared below.
      if (apiCode(thrown) === API_ERRORS.streamNameInUse) return streams.info(asked.name);
      // What cannot be changed is reported as a difference, with its field.
      if (found !== undefined && isAboutSettings(thrown)) throw fixedSettings(asked, found.config, thrown);
      throw thrown;
    }),
  );
  checkEcho(asked, info.config);
}
