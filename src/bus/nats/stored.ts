import type { StoredMsg, StreamInfoRequestOptions } from '@nats-io/jetstream';
import type { StreamState } from '../bus.ts';
import { API_ERRORS, apiCode } from './errors.ts';
import type { JetStreamConnection } from './connection.ts';

/**
 * A stored message. Whichever server keeps the stream answers first; one that has just come back may be behind, so that what it does not
 * have is asked of the leader: who takes a part of the weights for lost fails a job.
 */
export async function storedMessage(
  link: JetStreamConnection,
  stream: string,
  query: { last_by_subj: string } | { seq: number; next_by_subj?: string },
): Promise<StoredMsg | null> {
  return (await link.jsm.direct.getMessage(stream, query)) ?? (await link.jsm.streams.getMessage(stream, query));
}

/** Deletes one message of a stream; false when it is not there (any more). */
export async function deleteMessage(link: JetStreamConnection, stream: string, sequence: number): Promise<boolean> {
  return link.call(`deleting ${sequence} of ${stream}`, async () => {
    try {
      return await link.jsm.streams.deleteMessage(stream, sequence, false);
    } catch (thrown) {
      const code = apiCode(thrown);
      if (code === API_ERRORS.messageNotFound || code === API_ERRORS.sequenceNotFound) return false;
      // Servers have several words for a message that is not there.
      if (code === API_ERRORS.messageDeleteFailed && (await isGone(link, stream, sequence))) return false;
      throw thrown;
    }
  });
}

async function isGone(link: JetStreamConnection, stream: string, sequence: number): Promise<boolean> {
  const next = await storedMessage(link, stream, { seq: sequence });
  return next?.seq !== sequence;
}

/** What a stream holds, on all subjects or on those of a filter. */
export async function streamState(link: JetStreamConnection, stream: string, subject: string | undefined): Promise<StreamState> {
  const request: Partial<StreamInfoRequestOptions> = subject === undefined ? {} : { subjects_filter: subject };
  const { state } = await link.call(`stream ${stream}`, () => link.jsm.streams.info(stream, request));
  if (subject === undefined) return { messages: state.messages, bytes: state.bytes, lastSequence: state.last_seq };
  const messages = Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  // The server keeps bytes for the whole stream only.
  const bytes = state.messages === 0 ? 0 : Math.round((state.bytes * messages) / state.messages);
  return { messages, bytes, lastSequence: state.last_seq };
}

/** Messages by subject. The client asks for further pages where a stream has very many subjects. */
export async function subjectCounts(
  link: JetStreamConnection,
  stream: string,
  filter: string,
): Promise<ReadonlyMap<string, number>> {
  const { state } = await link.call(`subjects of ${stream}`, () => link.jsm.streams.info(stream, { subjects_filter: filter }));
  return new Map(Object.entries(state.subjects ?? {}));
}
