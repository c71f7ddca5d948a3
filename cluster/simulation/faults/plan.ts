import type { Random } from '../../../src/random/random.ts';
import { REWARD_WORK, ROLLOUT_WORK, WRITER_SCORED } from '../../../src/protocol/durables.ts';
import { EVENTS, GROUPS, HELD, JOBS, LEASES, POLICIES, ROLLOUTS, SCORED } from '../../../src/protocol/names.ts';
import { MESSAGE_FAULTS, TIMED_FAULTS, type MessageFault, type TimedFault } from './kinds.ts';

/** A fault at a time of its own. */
export interface PlannedFault {
  /** `<kind>@<node>#<number>`. */
  id: string;
  kind: TimedFault;
  /** Virtual milliseconds since the run began. */
  at: number;
  /** How long it lasts, in virtual milliseconds; 0 for what happens once. */
  forMs: number;
  /** Whom it strikes. */
  node: string;
  /** The other side of a partition; the stream, or `<stream>/<durable>`, that is lost; the bucket of a watch that stalls; the full stream. */
  other?: string;
  /** How far a calendar jumps, in milliseconds. */
  jumpMs?: number;
}

/** Which faults a run has, and how often. */
export interface FaultPlan {
  /** Share of the opportunities at which each kind strikes, 0 to 1; kinds that are not named never do. */
  rates: Partial<Record<MessageFault, number>>;
  timed: PlannedFault[];
  /** From then on nothing goes wrong any more, in virtual milliseconds. */
  endsAt: number;
  /** How much faster or slower each node's clock is. */
  clockRates: Record<string, number>;
}

/** No faults at all. */
export const NO_FAULTS: FaultPlan = { rates: {}, timed: [], endsAt: 0, clockRates: {} };

const LONGEST_MS = 60_000;
/** How long the faults of one run in ten go on at least: longer than NATS remembers ids. */
const LONG_RUN_MS = 130_000;
/** Kinds that end a process each time. */
const RARE: ReadonlySet<MessageFault> = new Set(['crash-at-call', 'crash-after-call']);
/** Kinds that happen once and do not last. */
const AT_ONCE: ReadonlySet<TimedFault> = new Set([
  'crash',
  'restart',
  'power-loss',
  'garbage',
  'leader-change',
  'clock-jump',
  'state-lost',
]);
/** Kinds that do nothing before there is something to lose or to miss. */
const LATER: ReadonlySet<TimedFault> = new Set(['state-lost', 'watch-stalled']);
/** The first number of a loss that meets other faults. */
const LOSSES = 10;
/** Streams, buckets and durables that may be deleted while a job runs: work that was in them is done again. */
const LOSABLE = [
  ...[ROLLOUTS, GROUPS, SCORED, HELD, EVENTS, LEASES],
  ...[ROLLOUT_WORK, REWARD_WORK, WRITER_SCORED].map(({ stream, durable }) => `${stream}/${durable}`),
  ...[`${SCORED}/trainer-job`, `${SCORED}/evaluations-job`],
];

/**
 * Draws which faults there are, how often and when (swarm testing: Groce et al., "Swarm Testing", ISSTA 2012): a run with few kinds of
 * faults gets further into each of them than one in which everything fails at once.
 *
 * @param nodes - ids of the nodes that can be struck
 */
export function planFaults(random: Random, nodes: readonly string[]): FaultPlan {
  const between = (low: number, high: number): number => spread(random, low, high);
  // One run in twelve has no faults: the promises hold there as well.
  if (random.integer(12) === 0) return { ...NO_FAULTS };
  const share = oneOf(random, [0.1, 0.25, 0.5]);
  const rates: FaultPlan['rates'] = {};
  for (const kind of MESSAGE_FAULTS)
    if (random.uniform() < share) rates[kind] = between(0.001, RARE.has(kind) ? 0.01 : kind === 'tool-busy' ? 0.3 : 0.1);
  const endsAt = random.integer(10) === 0 ? between(LONG_RUN_MS, 2 * LONG_RUN_MS) : between(5_000, 90_000);
  const longest = endsAt > LONG_RUN_MS ? endsAt : LONGEST_MS;
  const timed = TIMED_FAULTS.flatMap((kind) => planTimed(kind, random.fork(kind), { share, longest, nodes }));
  addMeeting(random.fork('meeting'), rates, timed);
  timed.sort((a, b) => a.at - b.at);
  const drifts = random.uniform() < share;
  const clockRates = drifts ? Object.fromEntries(nodes.map((id) => [id, 1 + (random.uniform() - 0.5) * 0.01])) : {};
  return { rates, timed, clockRates, endsAt };
}

/** Faults that do harm where several of them meet, which they seldom do by chance: one run in ten has more of one of these. */
const MEETINGS: readonly { rates: FaultPlan['rates']; lost?: readonly string[] }[] = [
  // A trainer begins anew, with other groups, while learners are at the round before.
  { rates: { 'compute-slow': 0.6, 'signal-lost': 0.5 }, lost: [LEASES] },
  // Work waits for a service while its streams are made again.
  { rates: { 'tool-busy': 0.3 }, lost: [ROLLOUTS, GROUPS, SCORED, HELD] },
  { rates: { poison: 0.3 } },
];

function addMeeting(random: Random, rates: FaultPlan['rates'], timed: PlannedFault[]): void {
  if (random.integer(10) !== 0) return;
  const { rates: more, lost } = oneOf(random, MEETINGS);
  for (const [kind, rate] of Object.entries(more) as [MessageFault, number][]) rates[kind] = Math.max(rate, rates[kind] ?? 0);
  for (let i = 0; lost && i < 3; i += 1) {
    const at = spread(random, 500, 20_000);
    timed.push({
      id: `state-lost@nats#${LOSSES + i}`,
      kind: 'state-lost',
      at,
      forMs: 0,
      node: 'nats',
      other: oneOf(random, lost),
    });
  }
}

/** The faults of one kind, by random numbers of its own. */
function planTimed(
  kind: TimedFault,
  random: Random,
  { share, longest, nodes }: { share: number; longest: number; nodes: readonly string[] },
): PlannedFault[] {
  if (random.uniform() >= share) return [];
  return Array.from({ length: 1 + random.integer(3) }, (_, i) => {
    const node = targetOf(kind, nodes, random);
    const other = otherOf(kind, node, { nodes, random });
    return {
      id: `${kind}@${node}#${i}`,
      kind,
      at: spread(random, LATER.has(kind) ? 100 : 1, 20_000),
      forMs: lasts(kind) ? spread(random, 10, longest) : 0,
      node,
      ...(other !== undefined && { other }),
      ...(kind === 'clock-jump' && { jumpMs: (random.uniform() < 0.5 ? -1 : 1) * spread(random, 1_000, 86_400_000) }),
    };
  });
}

/** A number between the two, each order of magnitude as likely as the others. */
function spread(random: Random, low: number, high: number): number {
  return low * (high / low) ** random.uniform();
}

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[random.integer(values.length)]!;
}

/** What the fault is about besides its node. */
function otherOf(
  kind: TimedFault,
  node: string,
  { nodes, random }: { nodes: readonly string[]; random: Random },
): string | undefined {
  switch (kind) {
    case 'partition':
      return oneOf(random, [...nodes.filter((id) => id !== node), 'nats', 'nats']);
    case 'state-lost':
      return oneOf(random, LOSABLE);
    case 'watch-stalled':
      return oneOf(random, [JOBS, POLICIES]);
    case 'stream-full':
      return oneOf(random, [ROLLOUTS, ROLLOUTS, GROUPS, SCORED]);
    default:
      return undefined;
  }
}

function targetOf(kind: TimedFault, nodes: readonly string[], random: Random): string {
  switch (kind) {
    case 'garbage':
    case 'nats-away':
    case 'nats-restart':
    case 'leader-change':
    case 'state-lost':
    case 'stream-full':
      return 'nats';
    case 'store-away':
    case 'store-full':
      return 'store';
    case 'disk-full':
    case 'power-loss':
      return 'disk';
    case 'crash':
    case 'restart':
    case 'pause':
    case 'zombie':
    case 'partition':
    case 'clock-jump':
    case 'watch-stalled':
      return nodes[random.integer(nodes.length)]!;
  }
}

function lasts(kind: TimedFault): boolean {
  return !AT_ONCE.has(kind);
}
