/**
 * Messages larger than {@link PART_BYTES} travel in parts. The bytes lie in stream PARTS under `part.<job>.<key>.<index>`, the message in
 * the queue is a stub whose headers name them: it is delivered, redelivered, held and given up like any other, and its parts with
 * it. Whichever worker is given the stub reads the parts by their key, so that they need not arrive at one worker. The reader
 * releases them after it has acknowledged the stub; what a crash leaves is purged when the job ends.
 */
import { createHash } from 'node:crypto';
import { publishWithRoom, type RoomOptions } from '../bus/backpressure.ts';
import type { Bus, BusMessage } from '../bus/bus.ts';
import { MillraceError } from '../errors.ts';
import { randomId } from '../random/id.ts';
import type { Random } from '../random/random.ts';
import { PART_HEADERS } from './headers.ts';
import { PARTS } from './names.ts';
import { partSubject } from './subjects.ts';

/** Bytes of a part at most; a message of no more travels whole. */
export const PART_BYTES = 768 * 1024;
/** Parts of a message at most: 64 MiB, since a learner is given a group in one message. */
const MAX_PARTS = 86;

const { key: KEY, count: COUNT, bytes: BYTES, digest: DIGEST, job: JOB } = PART_HEADERS;
const NAMES: readonly string[] = Object.values(PART_HEADERS);
/** Parts that are read or written at once. */
const WINDOW = 4;

type Headers = Readonly<Record<string, string>>;

/** What {@link publishInParts} sends. */
export interface Parted {
  job: string;
  subject: string;
  /** What the queue holds: enough to tell what it is about. */
  stub: Uint8Array;
  /** What {@link readParts} gives. */
  whole: Uint8Array;
}

/** How {@link publishInParts} sends it. */
export interface PartsOptions extends RoomOptions {
  /** Draws what tells this attempt from earlier ones. */
  random: Random;
}

/** Bytes of a message in parts at most. */
export function maxBytesInParts(bus: Pick<Bus, 'maxMessageBytes'>): number {
  return MAX_PARTS * Math.min(PART_BYTES, bus.maxMessageBytes);
}

/** Whether bytes travel in parts on this bus. */
export function needsParts(bus: Pick<Bus, 'maxMessageBytes'>, bytes: number): boolean {
  return bytes > Math.min(PART_BYTES, bus.maxMessageBytes);
}

/** Publishes the parts, then the stub. Throws what {@link publishWithRoom} does; parts without a stub are purged with the job. */
export async function publishInParts(bus: Bus, { job, subject, stub, whole }: Parted, options: PartsOptions): Promise<void> {
  const { id, content, headers, random, ...room } = options;
  const digest = sha256(whole);
  // Two messages of the same bytes must not share parts: each is released by itself.
  const key = createHash('sha256').update(subject).update('\0').update(id).update(digest).digest('hex').slice(0, 32);
  const size = Math.min(PART_BYTES, bus.maxMessageBytes);
  const count = Math.ceil(whole.byteLength / size);
  // Published again after they were purged they must not be taken for duplicates.
  const attempt = randomId(random);
  await inOrder(count, (index) =>
    publishWithRoom(bus, partSubject(job, key, index), whole.subarray(index * size, (index + 1) * size), {
      ...room,
      id: `${key}:${index}:${attempt}`,
    }),
  );
  const named = { [KEY]: key, [COUNT]: String(count), [BYTES]: String(whole.byteLength), [DIGEST]: digest, [JOB]: job };
  await publishWithRoom(bus, subject, stub, {
    ...room,
    id,
    ...(content !== undefined && { content }),
    headers: { ...headers, ...named },
  });
}

/** Headers that a copy of the message must have to keep its parts; none of a message that travels whole. */
export function partHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => NAMES.includes(name)));
}

/** Whether the message is the stub of one that travels in parts. */
export function hasParts({ headers }: Pick<BusMessage, 'headers'>): boolean {
  return headers[KEY] !== undefined;
}

/**
 * The whole of a message that travels in parts. `data_loss` (not retryable) when parts are missing or are not what the stub names:
 * released, purged with the job, or deleted with their stream. `unavailable` when the bus cannot be read now.
 */
export async function readParts(bus: Bus, { headers }: Pick<BusMessage, 'headers'>): Promise<Uint8Array> {
  const { job, key, count, bytes } = named(headers);
  const whole = new Uint8Array(bytes);
  let at = 0;
  await inOrder(
    count,
    (index) => bus.last(PARTS, partSubject(job, key, index)),
    (part, index) => {
      if (part === undefined) throw lost(`part ${index} of ${count} is missing`);
      if (at + part.data.byteLength > bytes) throw lost(`part ${index} of ${count} is too long`);
      whole.set(part.data, at);
      at += part.data.byteLength;
    },
  );
  if (at !== bytes || sha256(whole) !== headers[DIGEST]) throw lost('the parts have another digest');
  return whole;
}

/** Deletes the parts of a message that has been acknowledged; nothing for one that travels whole. */
export async function releaseParts(bus: Bus, message: Pick<BusMessage, 'headers'>): Promise<void> {
  if (!hasParts(message)) return;
  const { job, key } = named(message.headers);
  await bus.purge(PARTS, partSubject(job, key, '*'));
}

function named(headers: Headers): { job: string; key: string; count: number; bytes: number } {
  const [job, key, count, bytes] = [headers[JOB] ?? '', headers[KEY] ?? '', Number(headers[COUNT]), Number(headers[BYTES])];
  const whole = Number.isInteger(count) && count > 0 && Number.isInteger(bytes) && bytes >= 0 && bytes <= MAX_PARTS * PART_BYTES;
  if (!/^[\w-]+$/.test(job) || !/^[0-9a-f]{32}$/.test(key) || !whole) throw lost('its headers cannot be read');
  return { job, key, count, bytes };
}

/** Runs `start` for 0 to count - 1, a few at once, and `take` with the answers in order. */
async function inOrder<T>(
  count: number,
  start: (index: number) => Promise<T>,
  take?: (answer: T, index: number) => void,
): Promise<void> {
  for (let from = 0; from < count; from += WINDOW) {
    const indices = Array.from({ length: Math.min(WINDOW, count - from) }, (_, i) => from + i);
    const answers = await Promise.all(indices.map(start));
    if (take) answers.forEach((answer, i) => take(answer, from + i));
  }
}

function lost(why: string): MillraceError {
  return new MillraceError('data_loss', `a message in parts cannot be put together: ${why}`, {
    field: 'parts',
    retryable: false,
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
