import { MillraceError } from '../errors.ts';

/** Payload of the servers that Millrace starts, and of the in-memory bus. */
export const MAX_PAYLOAD = 8 * 1024 * 1024;

/** Kept free in each message for its headers, also those of a dead letter. */
const HEADER_BYTES = 16 * 1024;

/** Bytes that a message may have on a server that takes payloads of so many. */
export function maxMessageBytes(maxPayload: number): number {
  return Math.max(1024, maxPayload - HEADER_BYTES);
}

/** A message that no server setting of this cluster lets through: trying again does not help. */
export class MessageTooLarge extends MillraceError {
  readonly bytes: number;
  readonly limit: number;

  constructor(what: string, bytes: number, limit: number) {
    super(
      'invalid_argument',
      `${what} is ${count(bytes)} bytes, and a message is at most ${count(limit)}: make it smaller, or raise max_payload of the NATS server`,
      { field: 'data' },
    );
    this.bytes = bytes;
    this.limit = limit;
  }
}

/** Throws {@link MessageTooLarge} when the message does not fit, headers included. */
export function checkSize(subject: string, data: Uint8Array, headers: Readonly<Record<string, string>>, limit: number): void {
  if (data.byteLength > limit) throw new MessageTooLarge(`the message on ${subject}`, data.byteLength, limit);
  let bytes = 0;
  for (const name in headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name]!) + 4;
  // Half of the room is for the id, what the server adds, and what makes a dead letter of it.
  if (bytes > HEADER_BYTES / 2) throw new MessageTooLarge(`the headers of the message on ${subject}`, bytes, HEADER_BYTES / 2);
}

/** A number of bytes for people: `8,372,224`. */
export function count(bytes: number): string {
  return bytes.toLocaleString('en-US');
}
