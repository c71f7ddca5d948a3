import type { PublishAck, PublishOptions } from '../bus.ts';
import { dedupId } from '../message-id.ts';
import { checkSize, MAX_PAYLOAD, maxMessageBytes } from '../message-size.ts';
import type { JetStreamConnection } from './connection.ts';
import { toHeaders } from './messages.ts';

/** A durable publish with a message id; waits for the server's acknowledgement, over a reconnection if need be. */
export async function publish(
  link: JetStreamConnection,
  subject: string,
  data: Uint8Array,
  options: PublishOptions,
): Promise<PublishAck> {
  checkSize(subject, data, options.headers ?? {}, maxMessageBytes(maxPayload(link)));
  return republish(link, subject, data, options);
}

/** {@link publish} of a message that was published before, with what the server needs for dead letters: it has room for that. */
export async function republish(
  link: JetStreamConnection,
  subject: string,
  data: Uint8Array,
  options: PublishOptions,
): Promise<PublishAck> {
  const msgID = dedupId(subject, data, options);
  const headers = toHeaders(options.headers);
  const ack = await link.call(`publishing on ${subject}`, () => link.js.publish(subject, data, { msgID, headers }));
  return { sequence: ack.seq, duplicate: ack.duplicate };
}

/** What the server says that it takes. */
export function maxPayload(link: JetStreamConnection): number {
  return link.nc.info?.max_payload ?? MAX_PAYLOAD;
}
