import { DLQ, EVENTS, GROUPS, ROLLOUTS, SCORED } from '../../src/protocol/names.ts';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Bus } from '../../src/bus/bus.ts';
import type { StreamName } from '../../src/protocol/names.ts';
import { findDeadLetter, readDeadLetters, replayDeadLetter } from '../../src/protocol/replay.ts';
import type { StoredLetter } from '../../src/protocol/replay.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  DeadLetterSchema,
  type DeadLetter,
  type GetDeadLetterRequest,
  type ListDeadLettersRequest,
  type ReplayDeadLettersRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { checkCount } from './validation.ts';

/** The part of the admin API about messages that were given up; each method checks its request. */
export interface DeadLetterQueue {
  listDeadLetters(request: ListDeadLettersRequest): Promise<{ deadLetters: DeadLetter[]; nextPageToken: string }>;
  getDeadLetter(request: GetDeadLetterRequest): Promise<{ deadLetter: DeadLetter }>;
  replayDeadLetters(request: ReplayDeadLettersRequest): Promise<{ replayed: number; nextPageToken: string }>;
}

/** Streams whose messages can be given up. */
const STREAMS: readonly StreamName[] = [ROLLOUTS, GROUPS, SCORED, EVENTS];
/** Letters that one call replays at most: a call must end within its deadline. */
const REPLAYED_AT_ONCE = 500;
const MOST_IDS = 1000;

/** The dead letters of a bus. */
export function deadLetterQueue(bus: Bus): DeadLetterQueue {
  return {
    async listDeadLetters({ stream, pageSize, pageToken }) {
      const size = checkCount('page_size', pageSize, { min: 1, max: 1000, byDefault: 50 });
      const { from } = decodeToken(pageToken);
      const { letters, next } = await page(bus, { stream: checkStream(stream), from, size });
      return {
        deadLetters: letters.map((letter) => toMessage(letter)),
        nextPageToken: next === undefined ? '' : encodeToken({ from: next }),
      };
    },
    async getDeadLetter({ id }) {
      const letter = await find(bus, id, 'id');
      return { deadLetter: { ...toMessage(letter), payload: letter.data } };
    },
    async replayDeadLetters({ ids, all, stream, pageToken }) {
      if (all) return replayAll(bus, checkStream(stream), pageToken);
      if (ids.length === 0) throw invalid('ids', 'is empty; give numbers of letters, or `all`.');
      if (ids.length > MOST_IDS) throw invalid('ids', `has ${ids.length} entries; the most is ${MOST_IDS}.`);
      const letters: StoredLetter[] = [];
      for (const id of new Set(ids)) letters.push(await find(bus, id, 'ids'));
      for (const letter of letters) await replayDeadLetter(bus, letter);
      return { replayed: letters.length, nextPageToken: '' };
    },
  };
}

/** Up to the letter that was the last one when the first page was asked for: what comes back is not replayed again. */
async function replayAll(
  bus: Bus,
  stream: StreamName | undefined,
  pageToken: string,
): Promise<{ replayed: number; nextPageToken: string }> {
  const { from, until = (await bus.streamState(DLQ)).lastSequence } = decodeToken(pageToken);
  const { letters, next } = await page(bus, { stream, from, size: REPLAYED_AT_ONCE });
  const due = letters.filter(({ letter }) => letter <= until);
  for (const letter of due) await replayDeadLetter(bus, letter);
  return { replayed: due.length, nextPageToken: next === undefined || next > until ? '' : encodeToken({ from: next, until }) };
}

async function page(
  bus: Bus,
  { stream, from, size }: { stream: StreamName | undefined; from: number; size: number },
): Promise<{ letters: StoredLetter[]; next: number | undefined }> {
  const letters: StoredLetter[] = [];
  for await (const letter of readDeadLetters(bus, { stream, from })) {
    if (letters.length === size) return { letters, next: letter.letter };
    letters.push(letter);
  }
  return { letters, next: undefined };
}

async function find(bus: Bus, id: bigint, field: string): Promise<StoredLetter> {
  const letter = id >= 1n && id <= BigInt(Number.MAX_SAFE_INTEGER) ? await findDeadLetter(bus, Number(id)) : undefined;
  if (letter) return letter;
  throw new MillraceError('not_found', `There is no dead letter ${id}. \`millrace dlq list\` shows those there are.`, { field });
}

function toMessage(letter: StoredLetter): DeadLetter {
  return create(DeadLetterSchema, {
    id: BigInt(letter.letter),
    stream: letter.stream,
    subject: letter.subject,
    reason: letter.reason,
    deliveries: letter.deliveries,
    time: timestampFromMs(letter.givenUpAtMs),
    messageId: letter.id,
    sequence: BigInt(letter.sequence),
    headers: { ...letter.headers },
    payloadBytes: BigInt(letter.data.length),
  });
}

function checkStream(stream: string): StreamName | undefined {
  if (stream === '') return undefined;
  const known = STREAMS.find((name) => name === stream.toUpperCase());
  if (known) return known;
  throw invalid('stream', `${JSON.stringify(stream)} is none of ${STREAMS.join(', ')}.`);
}

/** Where a page begins, and where all pages end. */
interface Token {
  from: number;
  until?: number | undefined;
}

function encodeToken({ from, until }: Token): string {
  return Buffer.from(`${from} ${until ?? ''}`).toString('base64url');
}

function decodeToken(token: string): Token {
  if (token === '') return { from: 1 };
  const match = /^(\d{1,15}) (\d{0,15})$/.exec(Buffer.from(token, 'base64url').toString('latin1'));
  if (match) return { from: Number(match[1]), ...(match[2] !== '' && { until: Number(match[2]) }) };
  throw invalid('page_token', 'is no page token; use next_page_token of the page before, or nothing for the first page.');
}

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}
