import { headers as newHeaders } from '@nats-io/nats-core';
import type { MsgHdrs } from '@nats-io/nats-core';
import type { StoredMsg } from '@nats-io/jetstream';
import type { StoredMessage } from '../bus.ts';
import { publishedId } from '../message-id.ts';

const MESSAGE_ID = 'Nats-Msg-Id';

/** Our headers; those of the server and the client are left out. */
export function plainHeaders(from: MsgHdrs | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  if (from === undefined) return out;
  for (const name of from.keys()) if (!name.startsWith('Nats-')) out[name] = from.get(name);
  return out;
}

export function messageId(from: MsgHdrs | undefined): string {
  return publishedId(from?.get(MESSAGE_ID) ?? '');
}

export function toHeaders(from: Readonly<Record<string, string>> | undefined): MsgHdrs {
  const out = newHeaders();
  for (const [name, value] of Object.entries(from ?? {})) out.set(name, value);
  return out;
}

export function toStored(message: StoredMsg): StoredMessage {
  return {
    subject: message.subject,
    data: plainBytes(message.data),
    headers: plainHeaders(message.header),
    sequence: message.seq,
    id: messageId(message.header),
    timeMs: message.time.getTime(),
  };
}

/** Where a delivered message comes from: its reply subject says it. */
export interface DeliveryInfo {
  deliveryCount: number;
  sequence: number;
  timeMs: number;
}

/** Reads `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<stream seq>.<consumer seq>.<time>.<pending>[.<token>]`. */
export function parseDelivery(reply: string): DeliveryInfo | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const at = tokens.length === 9 ? 4 : 6;
  return {
    deliveryCount: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    timeMs: Math.floor(Number(tokens[at + 3]) / 1e6),
  };
}

/** The same bytes without Buffer's own meaning of slice(). */
export function plainBytes(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Header of the messages of a bucket that are no values. */
export const KV_OPERATION = 'KV-Operation';

/** Whether the value of that header marks a deletion. */
export function isDeletion(operation: string | undefined): boolean {
  return operation === 'DEL' || operation === 'PURGE';
}
