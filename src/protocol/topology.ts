import type { StreamSpec, Topology } from '../bus/topology.ts';
import {
  BUDGETS,
  RATES,
  CREDENTIALS,
  JOINS,
  AGENTS,
  CALLS,
  DLQ,
  EVENTS,
  EXPERIMENTS,
  GROUPS,
  HELD,
  JOBS,
  LEASES,
  NODES,
  NOTICES,
  PARTS,
  POLICIES,
  ROLLOUTS,
  SCHEDULER,
  SCHEDULES,
  SCORED,
  SERVED,
  SESSIONS,
  WEIGHTS,
} from './names.ts';
import type { StreamName } from './names.ts';
import { ALL, DEAD_LETTER_PREFIX } from './subjects.ts';

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
  /** Copies of each stream and bucket in a cluster. Default: those that exist are left as they are, new ones have 1. */
  replicas?: number | undefined;
}

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3600 * 1000;
const DUPLICATE_WINDOW_MS = 120_000;
/** After its last change a session is forgotten. Its key expires before. */
const SESSION_LIFE_MS = 7 * DAY_MS;

/** Work queues. */
const WORK = { retention: 'workqueue', discard: 'new' } as const;
/** Messages stay until they are deleted. */
const KEPT = { retention: 'limits', discard: 'new' } as const;
/** The oldest messages make room for new ones. */
const NEWEST = { retention: 'limits', discard: 'old' } as const;

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
    kind: Pick<StreamSpec, 'retention' | 'discard'>,
    { mib, ...more }: { mib: number } & Partial<StreamSpec>,
  ): StreamSpec => ({
    name,
    subjects,
    ...kind,
    maxBytes: options.maxBytes?.[name] ?? mib * MIB,
    maxMessages: options.maxMessages?.[name] ?? -1,
    maxAgeMs: 0,
    maxPerSubject: -1,
    duplicateWindowMs: DUPLICATE_WINDOW_MS,
    ...more,
  });
  return {
    streams: [
      stream(ROLLOUTS, ALL.rollouts, WORK, { mib: 256 }),
      stream(GROUPS, ALL.groups, WORK, { mib: 1024 }),
      stream(SCORED, ALL.scored, { retention: 'interest', discard: 'new' }, { mib: 2048 }),
      stream(WEIGHTS, ALL.weights, KEPT, { mib: 4096, maxPerSubject: 1 }),
      stream(EVENTS, ALL.events, NEWEST, { mib: 1024, maxAgeMs: 7 * DAY_MS }),
      stream(DLQ, ALL.deadLetters, NEWEST, { mib: 256 }),
      // Work that waits for a service (docs/adr/0044): whoever ends a job empties it.
      stream(HELD, ALL.held, KEPT, { mib: 1024 }),
      // Of messages larger than one may be (src/protocol/parts.ts): their reader releases them, and the end of their job.
      stream(PARTS, ALL.parts, KEPT, { mib: 4096, maxPerSubject: 1 }),
      // Full only while the store is away: the gateway then takes no calls, rather than answer what nobody keeps.
      stream(CALLS, ALL.calls, { retention: 'interest', discard: 'new' }, { mib: 2048 }),
    ],
    buckets: [
      { name: JOBS, ttlMs: 0, maxBytes: 64 * MIB },
      { name: LEASES, ttlMs: options.leaseTtlMs ?? 10_000, maxBytes: 16 * MIB },
      { name: NODES, ttlMs: options.nodeTtlMs ?? 15_000, maxBytes: 16 * MIB },
      { name: POLICIES, ttlMs: 0, maxBytes: 64 * MIB },
      { name: NOTICES, ttlMs: 0, maxBytes: 16 * MIB },
      { name: SCHEDULER, ttlMs: 0, maxBytes: 16 * MIB },
      { name: SCHEDULES, ttlMs: 0, maxBytes: 16 * MIB },
      { name: BUDGETS, ttlMs: 0, maxBytes: 64 * MIB },
      { name: RATES, ttlMs: DAY_MS, maxBytes: 16 * MIB },
      { name: JOINS, ttlMs: 7 * DAY_MS, maxBytes: 16 * MIB },
      { name: CREDENTIALS, ttlMs: 0, maxBytes: 16 * MIB },
      { name: AGENTS, ttlMs: 0, maxBytes: 16 * MIB },
      { name: EXPERIMENTS, ttlMs: 0, maxBytes: 64 * MIB },
      { name: SERVED, ttlMs: 7 * DAY_MS, maxBytes: 256 * MIB },
      { name: SESSIONS, ttlMs: SESSION_LIFE_MS, maxBytes: 256 * MIB },
    ],
    replicas: options.replicas,
    deadLetterPrefix: DEAD_LETTER_PREFIX,
  };
}
