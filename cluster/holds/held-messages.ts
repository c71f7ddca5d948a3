import { HELD_HEADERS } from '../../src/protocol/headers.ts';
import { HELD } from '../../src/protocol/names.ts';
import { deadLetterSubject, groupSubject, heldSubject, rolloutSubject } from '../../src/protocol/subjects.ts';
import { fromBinary } from '@bufbuild/protobuf';
import type { Bus, BusMessage, StoredMessage } from '../../src/bus/bus.ts';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import { deadLetterHeaders, deadLetterId } from '../../src/bus/dead-letter.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { Retry } from '../../src/flow/retry-later.ts';
import { partHeaders } from '../../src/protocol/parts.ts';
import { RolloutRequestSchema, TrajectoryGroupSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';

/*
 * Requests and groups that cannot go on now, because something that their flow calls is away, lie in stream HELD under
 * `held.<job>`: there they count as delivered to nobody, however long it takes. The job's actor returns them. See ADR 0044.
 */

const { subject: SUBJECT, id: ID, retry: RETRY, probe: PROBE } = HELD_HEADERS;

/** What messages are held with. */
interface HeldContext {
  bus: Bus;
  clock: Clock;
}

/** A message in HELD. */
export interface HeldMessage {
  /** Its number in HELD. */
  number: number;
  /** What refused it; undefined when it was held because others were refused. */
  retry: Retry | undefined;
  /** The request that it is about; undefined when it cannot be read. */
  request: RolloutRequest | undefined;
  /** It does not say where it came from: nobody here held it, and it cannot be returned. */
  isForeign: boolean;
}

/** The number in HELD of a message that was returned as a probe. */
export function probeOf({ headers }: Pick<BusMessage, 'headers'>): number | undefined {
  const value = headers[PROBE];
  return value === undefined ? undefined : Number(value);
}

/** Whether the message has lain in HELD: somebody may have answered its request meanwhile. */
export function wasHeld({ headers }: Pick<BusMessage, 'headers'>): boolean {
  return headers[ID] !== undefined;
}

/** Copies a message into HELD. Acknowledge the original afterwards: it may then be there twice, but is never lost. */
export async function holdMessage(
  { bus, clock }: HeldContext,
  job: string,
  { message, retry }: { message: BusMessage; retry?: Retry | undefined },
): Promise<void> {
  const why: Record<string, string> = retry === undefined ? {} : { [RETRY]: encodeURIComponent(JSON.stringify(retry)) };
  // Headers are one line of ASCII.
  const id = message.headers[ID] ?? encodeURIComponent(message.id);
  const headers = { ...partHeaders(message.headers), [SUBJECT]: message.subject, [ID]: id, ...why };
  await publishWithRoom(bus, heldSubject(job), message.data, {
    id: `${heldSubject(job)}:${message.subject}:${message.sequence}`,
    clock,
    headers,
  });
}

/** What is held of a job, from a number on, oldest first. */
export async function* heldMessages(bus: Bus, job: string, from = 1): AsyncIterable<HeldMessage> {
  for await (const message of bus.read(HELD, heldSubject(job), from)) {
    yield {
      number: message.sequence,
      retry: retryIn(message.headers[RETRY]),
      request: requestOf(message),
      isForeign: !isOf(job, message),
    };
  }
}

/** Returns one message to where it came from; false when it is not there any more. */
export async function returnHeld(
  { bus, clock }: HeldContext,
  job: string,
  { number, probe }: { number: number; probe: boolean },
): Promise<boolean> {
  for await (const message of bus.read(HELD, heldSubject(job), number)) {
    if (message.sequence !== number) return false;
    const id = message.headers[ID] ?? '';
    const headers = { ...partHeaders(message.headers), [ID]: id, ...(probe && { [PROBE]: String(number) }) };
    // Not under its first id, which the stream may still know and drop.
    const subject = message.headers[SUBJECT] ?? '';
    await publishWithRoom(bus, subject, message.data, { id: `${id}:held:${number}`, clock, headers });
    await bus.deleteMessage(HELD, number);
    return true;
  }
  return false;
}

/** Gives a message up that cannot be returned: it goes to the DLQ, where people find it. */
export async function giveUpHeld(bus: Bus, job: string, number: number): Promise<void> {
  for await (const message of bus.read(HELD, heldSubject(job), number)) {
    if (message.sequence !== number) return;
    const reason = 'not a held message: it does not say where it came from';
    const headers = deadLetterHeaders({ ...message, stream: HELD, reason, deliveries: 0 });
    await bus.publish(deadLetterSubject(HELD), message.data, { id: deadLetterId(HELD, number), headers });
    await bus.deleteMessage(HELD, number);
    return;
  }
}

/** Requests and groups of the job are held, nothing else. */
function isOf(job: string, { headers }: StoredMessage): boolean {
  const subject = headers[SUBJECT];
  return headers[ID] !== undefined && (subject === rolloutSubject(job) || subject === groupSubject(job));
}

/** A header that cannot be read says only that the message was held. */
function retryIn(text: string | undefined): Retry | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(decodeURIComponent(text)) as Retry;
  } catch {
    return { afterMs: 0, reason: 'no reason given', source: 'the flow' };
  }
}

function requestOf({ headers, data }: StoredMessage): RolloutRequest | undefined {
  try {
    const isGroup = headers[SUBJECT]?.startsWith(groupSubject('')) ?? false;
    return isGroup ? fromBinary(TrajectoryGroupSchema, data).request : fromBinary(RolloutRequestSchema, data);
  } catch {
    return undefined;
  }
}
