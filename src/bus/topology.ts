import { subjectMatches } from './subject.ts';

/** How a stream forgets: when worked off, when every durable has it, or by its limits. */
export type StreamRetention = 'workqueue' | 'interest' | 'limits';

/** One stream, in words that belong to no server. */
export interface StreamSpec {
  name: string;
  /** Subject filter of everything it stores. */
  subjects: string;
  retention: StreamRetention;
  /** What happens when it is full: `new` refuses the publish (backpressure), `old` forgets the oldest. */
  discard: 'new' | 'old';
  maxBytes: number;
  /** -1: no limit. */
  maxMessages: number;
  /** 0: no limit. */
  maxAgeMs: number;
  /** -1: no limit. */
  maxPerSubject: number;
  /** How long a message id is remembered. */
  duplicateWindowMs: number;
}

/** One key-value bucket; it keeps the newest value of each key. */
export interface BucketSpec {
  name: string;
  /** A value not written again within this time expires. 0: never. */
  ttlMs: number;
  maxBytes: number;
}

/** What a bus keeps for its users: {@link Bus.ensureTopology} makes it. */
export interface Topology {
  streams: readonly StreamSpec[];
  buckets: readonly BucketSpec[];
  /** Copies of each stream and bucket in a cluster. Undefined: as many as one has, and one of what is made. */
  replicas: number | undefined;
  /** Messages that were given up go to `<prefix>.<stream>`, which a stream must store. */
  deadLetterPrefix: string;
}

/** The stream that stores `subject`, if any does. */
export function streamOf(subject: string, streams: readonly StreamSpec[]): StreamSpec | undefined {
  return streams.find((s) => subjectMatches(s.subjects, subject));
}
