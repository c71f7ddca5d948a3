import type { StreamExpectations } from '@nats-io/jetstream';
import { MillraceError } from '../../errors.ts';
import type { PublishAck } from '../bus.ts';
import type { Link } from './link.ts';
import { toHeaders } from './messages.ts';

/** A durable publish with a message id; waits for the server's acknowledgement, over a reconnection if need be. */
export async function publish(
  link: Link,
  subject: string,
  data: Uint8Array,
  id: string,
  headers?: Readonly<Record<string, string>>,
  expect?: Partial<StreamExpectations>,
): Promise<PublishAck> {
  const limit = link.nc.info?.max_payload ?? Infinity;
  if (data.byteLength > limit) {
    throw new MillraceError(
      'invalid_argument',
      `a message of ${data.byteLength} bytes on ${subject} exceeds the server's ${limit}; split it`,
      {
        field: 'data',
      },
    );
  }
  const ack = await link.call(`publishing on ${subject}`, () =>
    link.js.publish(subject, data, { msgID: id, headers: toHeaders(headers), ...(expect === undefined ? {} : { expect }) }),
  );
  return { sequence: ack.seq, duplicate: ack.duplicate };
}
