import { DeliverPolicy } from '@nats-io/jetstream';
import type { Consumer as OrderedConsumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { MillraceError } from '../../errors.ts';
import type { StoredMessage } from '../bus.ts';
import type { JetStreamConnection } from './connection.ts';
import { storedMessage } from './stored.ts';
import { messageId, plainBytes, plainHeaders, toStored } from './messages.ts';

/** Silence after which the stream is asked whether anything is left. */
const DOUBT_MS = 500;
/** Longest silence while messages are known to be there. */
const SILENCE_MS = 10_000;
/** Bytes on their way at once: servers cut a client off that has too much waiting for it (64 MB by default). */
const WINDOW_BYTES = 16 * 1024 * 1024;

function deliveredOf(message: JsMsg): StoredMessage {
  return {
    subject: message.subject,
    data: plainBytes(message.data),
    headers: plainHeaders(message.headers),
    sequence: message.seq,
    id: messageId(message.headers),
    timeMs: message.time.getTime(),
  };
}

/**
 * Closes the iteration when what is awaited will not come: the server's count of pending messages is a promise that
 * expiry, deletion and purging break, so silence is checked against the stream itself. Time spent by the reader does not
 * count.
 */
class SilenceWatch {
  ending: 'nothing left' | 'silent' | undefined;
  private since = performance.now();
  private asking = false;
  private readonly timer: NodeJS.Timeout;
  private readonly messages: ConsumerMessages;
  private readonly nothingLeft: () => Promise<boolean>;

  constructor(messages: ConsumerMessages, nothingLeft: () => Promise<boolean>) {
    this.messages = messages;
    this.nothingLeft = nothingLeft;
    this.timer = setInterval(() => void this.check(), DOUBT_MS);
  }

  pause(): void {
    this.since = Infinity;
  }

  resume(): void {
    this.since = performance.now();
  }

  end(): void {
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    const since = this.since;
    const silentMs = performance.now() - since;
    if (silentMs >= SILENCE_MS) return this.close('silent');
    if (silentMs < DOUBT_MS || this.asking) return;
    this.asking = true;
    // No answer proves nothing: the next tick asks again.
    const over = await this.nothingLeft().catch(() => false);
    this.asking = false;
    if (over && this.since === since) this.close('nothing left');
  }

  private close(ending: 'nothing left' | 'silent'): void {
    this.ending ??= ending;
    void this.messages.close();
  }
}

/** What {@link readStored} reads. */
export interface ReadOptions {
  /** Subject filter. */
  filter: string;
  /** Default 1. */
  fromSequence?: number;
  /** Default `all`. */
  policy?: 'all' | 'last_per_subject';
  /** Leaves the data out. Default false. */
  headersOnly?: boolean;
}

/** Stored messages of a filter in order, from a sequence on, until caught up. Reads with a consumer of its own. */
export async function* readStored(
  link: JetStreamConnection,
  stream: string,
  { filter, fromSequence = 1, policy = 'all', headersOnly = false }: ReadOptions,
): AsyncIterable<StoredMessage> {
  const what = `reading ${filter} of ${stream}`;
  const consumer: OrderedConsumer = await link.call(what, () =>
    link.js.consumers.get(stream, {
      filter_subjects: filter,
      headers_only: headersOnly,
      inactive_threshold: 60_000,
      ...(policy === 'last_per_subject'
        ? { deliver_policy: DeliverPolicy.LastPerSubject }
        : fromSequence > 1
          ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: fromSequence }
          : { deliver_policy: DeliverPolicy.All }),
    }),
  );
  try {
    const { num_pending: waiting } = await consumer.info(true);
    if (waiting === 0) return;
    const messages = await consumer.consume({ max_bytes: WINDOW_BYTES });
    let next = fromSequence;
    const silence = new SilenceWatch(messages, async () => (await nextOf(link, stream, filter, next)) === null);
    try {
      for await (const message of messages) {
        silence.pause();
        next = message.seq + 1;
        yield deliveredOf(message);
        silence.resume();
        if (message.info.pending === 0) return;
      }
      if (silence.ending === 'nothing left') return;
      throw new MillraceError(
        'unavailable',
        `${what}: ${silence.ending === 'silent' ? `nothing came for ${SILENCE_MS} ms` : 'the server ended it early'}`,
      );
    } finally {
      silence.end();
      void messages.close();
    }
  } finally {
    if (!link.nc.isClosed()) consumer.delete().catch(() => {});
  }
}

function nextOf(link: JetStreamConnection, stream: string, filter: string, sequence: number): ReturnType<typeof storedMessage> {
  return storedMessage(link, stream, { seq: sequence, next_by_subj: filter });
}

/**
 * The same one message at a time, without a consumer: a work queue allows no second one, and on an interest stream it would
 * make the server keep messages for it.
 */
export async function* readByGet(
  link: JetStreamConnection,
  stream: string,
  { filter, fromSequence = 1 }: Pick<ReadOptions, 'filter' | 'fromSequence'>,
): AsyncIterable<StoredMessage> {
  for (let sequence = fromSequence; ;) {
    const message = await link.call(`reading ${filter} of ${stream}`, () => nextOf(link, stream, filter, sequence));
    if (message === null) return;
    yield toStored(message);
    sequence = message.seq + 1;
  }
}
