import type { ConsumeOptions } from '../bus/bus.ts';
import type { StreamName } from './names.ts';
import { CALLS, DLQ, EVENTS, GROUPS, ROLLOUTS, SCORED } from './names.ts';
import { ALL, scoredSubject } from './subjects.ts';

/** A durable on a stream of the cluster. */
export type Durable = ConsumeOptions & { stream: StreamName };
/** What tells a durable: its stream, name and filter. */
export type DurablePlace = Pick<Durable, 'stream' | 'durable' | 'filter'>;

/** A lost worker's requests and groups are given to another after this long. */
const ACK_WAIT_MS = 10_000;

/** Groups of flows that a rollout worker runs at once. */
export const GROUPS_AT_ONCE = 4;

/** Requests, worked off by whichever rollout worker is free. */
export const ROLLOUT_WORK = {
  stream: ROLLOUTS,
  durable: 'rollout',
  filter: ALL.rollouts,
  maxAckPending: 10_000,
  ackWaitMs: ACK_WAIT_MS,
} as const satisfies Durable;

/** Groups, worked off by whichever reward worker is free. */
export const REWARD_WORK = {
  stream: GROUPS,
  durable: 'reward',
  filter: ALL.groups,
  maxAckPending: 10_000,
  ackWaitMs: ACK_WAIT_MS,
} as const satisfies Durable;

/** Made by the nodes that may: workers may not. */
export const WORK_DURABLES: readonly Durable[] = [ROLLOUT_WORK, REWARD_WORK];

/** Messages a writer holds in memory at most, by stream. */
const SCORED_IN_FLIGHT = 1024;
const EVENTS_IN_FLIGHT = 256;
const CALLS_IN_FLIGHT = 512;
/** Bytes of messages held at most, by stream: a message is usually 25 KB and may be a megabyte. */
const BYTES_IN_FLIGHT = 48 * 1024 * 1024;

/**
 * Rows are never given up because the store was away: an item is delivered this often before it counts as poison, and only
 * crashes and stops of the writer count as deliveries.
 */
const WRITER_MAX_DELIVER = 50;

/** The writer's durable of scored groups. */
export const WRITER_SCORED: Durable = {
  stream: SCORED,
  durable: 'writer',
  filter: ALL.scored,
  maxInFlight: SCORED_IN_FLIGHT,
  maxBytesInFlight: BYTES_IN_FLIGHT,
  maxAckPending: 8 * SCORED_IN_FLIGHT,
  maxDeliver: WRITER_MAX_DELIVER,
};

/** The writer's durable of events. */
export const WRITER_EVENTS: Durable = {
  stream: EVENTS,
  durable: 'writer-events',
  filter: ALL.events,
  maxInFlight: EVENTS_IN_FLIGHT,
  maxBytesInFlight: BYTES_IN_FLIGHT,
  maxAckPending: 8 * EVENTS_IN_FLIGHT,
  maxDeliver: WRITER_MAX_DELIVER,
};

/** The writer's durable of calls. */
export const WRITER_CALLS: Durable = {
  stream: CALLS,
  durable: 'writer-calls',
  filter: ALL.calls,
  maxInFlight: CALLS_IN_FLIGHT,
  maxBytesInFlight: BYTES_IN_FLIGHT,
  maxAckPending: 8 * CALLS_IN_FLIGHT,
  maxDeliver: WRITER_MAX_DELIVER,
};

/** Dead letters, read by the coordinators. */
export const DEAD_LETTERS: DurablePlace = { stream: DLQ, durable: 'dead-letters', filter: ALL.deadLetters };

/** The durables of the cluster; each job has two more on SCORED. */
export const SHARED_DURABLES: readonly DurablePlace[] = [
  ...WORK_DURABLES,
  WRITER_SCORED,
  WRITER_EVENTS,
  WRITER_CALLS,
  DEAD_LETTERS,
];

/** What {@link trainerDurable} needs of a job's settings. */
export interface RolloutBounds {
  maxStaleness: number;
  groupsPerRound: number;
}

/** Durable of a job's trainer on SCORED, made before the first request is sent. */
export function trainerDurable(job: string, { rollout }: { rollout: RolloutBounds }): Durable {
  // All groups of η + 1 rounds may be held unacknowledged until their round commits, and as many more may be on the way.
  const held = 2 * (rollout.maxStaleness + 2) * rollout.groupsPerRound + 64;
  return {
    stream: SCORED,
    durable: `trainer-${job}`,
    filter: scoredSubject(job, 'train'),
    maxInFlight: held,
    maxAckPending: held,
    maxDeliver: -1,
  };
}

/** Durable of a job's evaluations on SCORED. */
export function evaluationDurable(job: string): Durable {
  return {
    stream: SCORED,
    durable: `evaluations-${job}`,
    filter: scoredSubject(job, 'evaluate'),
    maxInFlight: 256,
    maxDeliver: -1,
  };
}

/** The job that a durable on SCORED belongs to by its name, and the filter that it must have; undefined when it belongs to none. */
export function jobDurable(durable: string): { job: string; filter: string } | undefined {
  const [, kind, job] = /^(trainer|evaluations)-(.+)$/.exec(durable) ?? [];
  return job === undefined ? undefined : { job, filter: scoredSubject(job, kind === 'trainer' ? 'train' : 'evaluate') };
}
