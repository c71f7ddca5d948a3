import type { MaxDeliveries, StreamName } from '../bus.ts';
import { topology } from '../topology.ts';
import { API_ERRORS, apiCode } from './errors.ts';
import type { Link } from './link.ts';

const MAX_DELIVERIES = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES';

/** Hears the server say that a durable gave a message up. */
export function listenMaxDeliveries(link: Link, handler: (event: MaxDeliveries) => void): () => void {
  const subscription = link.nc.subscribe(`${MAX_DELIVERIES}.*.*`, {
    callback: (error, message) => {
      if (error !== null) return;
      const { stream, consumer, stream_seq, deliveries } = message.json<{
        stream: string;
        consumer: string;
        stream_seq: number;
        deliveries: number;
      }>();
      if (!STREAMS.has(stream)) return;
      handler({ stream: stream as StreamName, durable: consumer, sequence: stream_seq, deliveries });
    },
  });
  return () => subscription.unsubscribe();
}

const STREAMS: ReadonlySet<string> = new Set(topology().streams.map((s) => s.name));

/** Messages that are still stored though the durable is done with everything up to them. */
export async function findAbandoned(link: Link, stream: StreamName, durable: string): Promise<number[]> {
  const what = `durable ${durable} of ${stream}`;
  const info = await link.call(what, () =>
    link.jsm.consumers.info(stream, durable).catch((thrown: unknown) => {
      if (apiCode(thrown) === API_ERRORS.consumerNotFound) return undefined;
      throw thrown;
    }),
  );
  if (info === undefined) return [];
  const floor = info.ack_floor.stream_seq;
  const filter = info.config.filter_subject ?? '>';
  const found: number[] = [];
  for (let sequence = 1; sequence <= floor;) {
    const message = await link.call(what, () => link.jsm.direct.getMessage(stream, { seq: sequence, next_by_subj: filter }));
    if (message === null || message.seq > floor) break;
    found.push(message.seq);
    sequence = message.seq + 1;
  }
  return found;
}
