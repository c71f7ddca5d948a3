import type { BucketName, StreamName } from '../bus/bus.ts';
import { subjectMatches } from '../bus/subject.ts';

/** How a stream forgets: when worked off, when every durable has it, or by its limits. */
export type Retention = 'workqueue' | 'interest' | 'limits';

/** One stream as DESIGN.md section 4 asks for it, in words that belong to no server. */
export interface StreamSpec {
  name: StreamName;
  /** Subject filter of everything it stores. */
  subjects: string;
  retention: Retention;
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
  name: BucketName;
  /** A value not written again within this time expires. 0: never. */
  ttlMs: number;
  maxBytes: number;
}

/** Options of {@link topology}. */
export interface TopologyOptions {
  /** Life of a value in `leases` without renewal. Default 10_000; at least 100. */
  leaseTtlMs?: number;
  /** Life of a value in `nodes` without a heartbeat. Default 15_000; at least 100. */
  nodeTtlMs?: number;
  /** Size limits in bytes, by stream, in place of the defaults. */
  maxBytes?: Partial<Record<StreamName, number>>;
  /** Number of messages at most, by stream. Default: no limit. */
  maxMessages?: Partial<Record<StreamName, number>>;
  /** Copies of each stream and bucket in a cluster. Default 1. */
  replicas?: number;
}

/** Everything {@link Bus.ensureTopology} sees to. */
export interface Topology {
  streams: readonly StreamSpec[];
  buckets: readonly BucketSpec[];
  replicas: number;
}

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600 * 1000;
const DUPLICATE_WINDOW_MS = 120_000;

/**
 * The streams and buckets of a cluster.
 *
 * The streams that hold work not yet accounted for (ROLLOUTS, GROUPS, SCORED) and the weights refuse what does not fit:
 * forgetting the oldest would lose work, or chunks of a committed version, without a word.
 */
export function topology(options: TopologyOptions = {}): Topology {
  const stream = (
    name: StreamName,
    subjects: string,
    retention: Retention,
    discard: 'new' | 'old',
    mib: number,
    more: Partial<StreamSpec> = {},
  ): StreamSpec => ({
    name,
    subjects,
    retention,
    discard,
    maxBytes: options.maxBytes?.[name] ?? mib * MIB,
    maxMessages: options.maxMessages?.[name] ?? -1,
    maxAgeMs: 0,
    maxPerSubject: -1,
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
    ...more,
  });
  return {
    streams: [
      stream('ROLLOUTS', 'rollout.>', 'workqueue', 'new', 256),
      stream('GROUPS', 'group.>', 'workqueue', 'new', 1024),
      stream('SCORED', 'scored.>', 'interest', 'new', 2048),
      stream('WEIGHTS', 'weights.>', 'limits', 'new', 4096, { maxPerSubject: 1 }),
      stream('EVENTS', 'event.>', 'limits', 'old', 1024, { maxAgeMs: 7 * DAY_MS }),
      stream('DLQ', 'dlq.>', 'limits', 'old', 256),
      // Work that waits for a service (docs/adr/0044): whoever ends a job empties it.
      stream('HELD', 'held.>', 'limits', 'new', 1024),
    ],
    buckets: [
      { name: 'jobs', ttlMs: 0, maxBytes: 64 * MIB },
      { name: 'leases', ttlMs: options.leaseTtlMs ?? 10_000, maxBytes: 16 * MIB },
      { name: 'nodes', ttlMs: options.nodeTtlMs ?? 15_000, maxBytes: 16 * MIB },
      { name: 'policies', ttlMs: 0, maxBytes: 64 * MIB },
      { name: 'notices', ttlMs: 0, maxBytes: 16 * MIB },
    ],
    replicas: options.replicas ?? 1,
  };
}

/** The stream that stores `subject`, if any does. */
export function streamOf(subject: string, streams: readonly StreamSpec[]): StreamSpec | undefined {
  return streams.find((s) => subjectMatches(s.subjects, subject));
}
