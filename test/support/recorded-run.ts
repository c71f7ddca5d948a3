import { createHash } from 'node:crypto';
import { vi } from 'vitest';
import { runSerial, type SerialOptions, type SerialResult } from '../../cluster/serial/index.ts';
import type { MemoryServer } from '../../src/bus/memory/server.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { memoryLinkPair } from '../../src/rpc/memory-link.ts';
import { TABLE_NAMES } from '../../src/records/tables.ts';

/** What left the nodes of a serial run, in its order, and what it left in the store. */
export interface RecordedRun {
  result: SerialResult;
  /** One line for each thing that reached the server or the other end of a link: virtual time, what, where, ids, headers, bytes. */
  sent: string[];
  /** The rows of each table, in the order in which they were written. */
  rows: Record<string, readonly unknown[]>;
}

/** Runs a job in serial mode and notes down everything that its nodes say to the server and to each other. */
export async function recordedRun(config: JobConfig, options: SerialOptions): Promise<RecordedRun> {
  const sent: string[] = [];
  const result = await runSerial(config, {
    ...options,
    prepare: async (bus) => {
      const note = (line: string): void => void sent.push(`${bus.server.clock.monotonic()} ${line}`);
      record(bus.server, note);
      recordLinks(note);
      await options.prepare?.(bus);
    },
  });
  const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, result.store.rows(table)]));
  return { result, sent, rows };
}

function record(server: MemoryServer, note: (line: string) => void): void {
  const { listeners } = server;
  const [publish, acked, emit] = [server.publish.bind(server), server.acked.bind(server), listeners.emit.bind(listeners)];
  server.publish = (subject, data, options) => {
    note(`publish ${subject} ${JSON.stringify(options)} ${bytes(data)}`);
    return publish(subject, data, options);
  };
  server.acked = (durable, sequence) => {
    note(`ack ${durable.config.stream}/${durable.config.durable} ${sequence}`);
    acked(durable, sequence);
  };
  listeners.emit = (subject, data) => {
    note(`emit ${subject} ${bytes(data)}`);
    emit(subject, data);
  };
  for (const { name, kind } of server.inspectTopology()) {
    if (kind !== 'bucket') continue;
    const bucket = server.bucket(name);
    const [put, create] = [bucket.put.bind(bucket), bucket.create.bind(bucket)];
    const [update, remove] = [bucket.update.bind(bucket), bucket.delete.bind(bucket)];
    bucket.put = (key, value) => {
      note(`put ${name}/${key} ${bytes(value)}`);
      return put(key, value);
    };
    bucket.create = (key, value) => {
      note(`create ${name}/${key} ${bytes(value)}`);
      return create(key, value);
    };
    bucket.update = (key, value, revision) => {
      note(`update ${name}/${key} of ${revision} ${bytes(value)}`);
      return update(key, value, revision);
    };
    bucket.delete = (key, revision) => {
      note(`delete ${name}/${key} of ${revision}`);
      return remove(key, revision);
    };
  }
}

/** Until the mocks of the test are restored. */
function recordLinks(note: (line: string) => void): void {
  const [link] = memoryLinkPair<unknown, unknown>();
  const links = Object.getPrototypeOf(link) as typeof link;
  const send = Reflect.get(links, 'send') as (message: unknown) => Promise<void>;
  vi.spyOn(links, 'send').mockImplementation(function (this: typeof link, message) {
    note(`link ${JSON.stringify(message, readable)}`);
    return send.call(this, message);
  });
}

function readable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? bytes(value) : value;
}

/** Short ones as text, so that a difference can be read. */
function bytes(data: Uint8Array): string {
  const text = Buffer.from(data).toString('latin1');
  return data.byteLength <= 4096 ? JSON.stringify(text) : `${data.byteLength} ${createHash('sha256').update(data).digest('hex')}`;
}
