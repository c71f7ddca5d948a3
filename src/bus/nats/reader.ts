import { DeliverPolicy } from '@nats-io/jetstream';
import type { Consumer as OrderedConsumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { MillraceError } from '../../errors.ts';
import type { StoredMessage } from '../bus.ts';
import type { Link } from './link.ts';
import { messageId, plainBytes, plainHeaders, toStored } from './messages.ts';

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

/** Closes the iteration when a message that must be there does not come; time spent by the reader does not count. */
class SilenceWatch {
  silent = false;
  private since = performance.now();
  private readonly timer: NodeJS.Timeout;

  constructor(messages: ConsumerMessages) {
    this.timer = setInterval(() => {
      if (performance.now() - this.since < SILENCE_MS) return;
      this.silent = true;
      void messages.close();
    }, SILENCE_MS / 4);
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
}

/** Stored messages of a filter in order, from a sequence on, until caught up. Reads with a consumer of its own. */
export async function* readStored(
  link: Link,
  stream: string,
  filter: string,
  fromSequence: number,
  policy: 'all' | 'last_per_subject' = 'all',
  headersOnly = false,
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
    const silence = new SilenceWatch(messages);
    try {
      for await (const message of messages) {
        silence.pause();
        yield deliveredOf(message);
        silence.resume();
        if (message.info.pending === 0) return;
      }
      throw new MillraceError(
        'unavailable',
        `${what}: ${silence.silent ? `nothing came for ${SILENCE_MS} ms` : 'the server ended it early'}`,
      );
    } finally {
      silence.end();
      void messages.close();
    }
  } finally {
    if (!link.nc.isClosed()) consumer.delete().catch(() => {});
  }
}

/**
 * The same one message at a time, without a consumer: a work queue allows no second one, and on an interest stream it would
 * make the server keep messages for it.
 */
export async function* readByGet(link: Link, stream: string, filter: string, fromSequence: number): AsyncIterable<StoredMessage> {
  for (let sequence = fromSequence; ;) {
    const query = { seq: sequence, next_by_subj: filter };
    const message = await link.call(`reading ${filter} of ${stream}`, () => link.jsm.direct.getMessage(stream, query));
    if (message === null) return;
    yield toStored(message);
    sequence = message.seq + 1;
  }
}
