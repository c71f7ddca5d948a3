import type { Random } from '../../../src/random/random.ts';
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
  /** The other side of a partition. */
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
const AT_ONCE: ReadonlySet<TimedFault> = new Set(['crash', 'restart', 'power-loss', 'garbage', 'leader-change', 'clock-jump']);

/**
 * Draws which faults there are, how often and when (swarm testing: Groce et al., "Swarm Testing", ISSTA 2012): a run with few kinds of
 * faults gets further into each of them than one in which everything fails at once.
 *
 * @param nodes - ids of the nodes that can be struck
 */
export function planFaults(random: Random, nodes: readonly string[]): FaultPlan {
  const between = (low: number, high: number): number => low * (high / low) ** random.uniform();
  const oneOf = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  // One run in twelve has no faults: the promises hold there as well.
  if (random.integer(12) === 0) return { ...NO_FAULTS };
  const share = oneOf([0.1, 0.25, 0.5]);
  const rates: FaultPlan['rates'] = {};
  for (const kind of MESSAGE_FAULTS)
    if (random.uniform() < share) rates[kind] = between(0.001, RARE.has(kind) ? 0.01 : kind === 'tool-busy' ? 0.3 : 0.1);
  const endsAt = random.integer(10) === 0 ? between(LONG_RUN_MS, 2 * LONG_RUN_MS) : between(5_000, 90_000);
  const longest = endsAt > LONG_RUN_MS ? endsAt : LONGEST_MS;
  const timed: PlannedFault[] = [];
  for (const kind of TIMED_FAULTS) {
    if (random.uniform() >= share) continue;
    for (let left = 1 + random.integer(3); left > 0; left -= 1) {
      const node = targetOf(kind, nodes, random);
      const other = kind === 'partition' ? oneOf([...nodes.filter((id) => id !== node), 'nats', 'nats']) : undefined;
      timed.push({
        id: `${kind}@${node}#${timed.length}`,
        kind,
        at: between(1, 20_000),
        forMs: lasts(kind) ? between(10, longest) : 0,
        node,
        ...(other !== undefined && { other }),
        ...(kind === 'clock-jump' && { jumpMs: (random.uniform() < 0.5 ? -1 : 1) * between(1_000, 86_400_000) }),
      });
    }
  }
  timed.sort((a, b) => a.at - b.at);
  const drifts = random.uniform() < share;
  const clockRates = drifts ? Object.fromEntries(nodes.map((id) => [id, 1 + (random.uniform() - 0.5) * 0.01])) : {};
  return { rates, timed, clockRates, endsAt };
}

function targetOf(kind: TimedFault, nodes: readonly string[], random: Random): string {
  switch (kind) {
    case 'garbage':
    case 'nats-away':
    case 'nats-restart':
    case 'leader-change':
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
      return nodes[random.integer(nodes.length)]!;
  }
}

function lasts(kind: TimedFault): boolean {
  return !AT_ONCE.has(kind);
}
