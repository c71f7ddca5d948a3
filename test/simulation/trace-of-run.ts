import { TIMED_FAULTS } from '../../cluster/simulation/faults/kinds.ts';
import type { InjectedFault, TraceEvent, TraceOfRun } from '../../cluster/simulation/trace.ts';
import type { SeedResult } from './farm.ts';

/** Lanes in the order in which they are shown: a trajectory goes from top to bottom. Others follow. */
const LANES = ['client', 'faults', 'coordinator', 'nats', 'rollout', 'service', 'reward', 'store', 'parameter-server', 'learner'];

/** A run with its events as it is printed and shown. */
export function traceOfRun(result: SeedResult, about: Pick<TraceOfRun, 'commit' | 'command'>): TraceOfRun {
  const { seed, job, outcome, invariant, reason, trace: events = [] } = result;
  const why = invariant === undefined ? reason : `${invariant}: ${reason ?? 'no reason given'}`;
  return {
    seed,
    job,
    outcome,
    ...(why !== undefined && { reason: why }),
    ...about,
    faults: injectedFaults(events),
    lanes: lanesOf(events),
    events,
  };
}

/** The faults of a run in words, from the events that tell of them. */
function injectedFaults(events: readonly TraceEvent[]): InjectedFault[] {
  const faults = new Map<string, InjectedFault>();
  for (const { lane, kind, fault, at, text } of events) {
    if (lane !== 'faults' || fault === undefined) continue;
    const known = faults.get(fault);
    if (known === undefined) faults.set(fault, { id: fault, at, text: inWords(fault, text) });
    else if (kind === 'heal') known.untilMs = at;
  }
  return [...faults.values()];
}

/**
 * A fault in words: its kind, whom it strikes, and what else its event says.
 *
 * @param id - `<kind>@<where>#<number>`
 */
function inWords(id: string, text: string): string {
  const [, kind = id, where = '', number] = /^([^@]+)@(.*?)(?:#(\d+))?$/s.exec(id) ?? [];
  const more = text.startsWith(id) ? text.slice(id.length).trim() : '';
  // Faults at a time of their own are merely numbered.
  const passed = (TIMED_FAULTS as readonly string[]).includes(kind) ? 0 : Number(number ?? 0);
  return `${kind.replaceAll('-', ' ')}: ${where}${more === '' ? '' : ` ${more}`}${passed > 0 ? `, the ${nth(passed + 1)} time` : ''}`;
}

function nth(n: number): string {
  const ending = new Intl.PluralRules('en', { type: 'ordinal' }).select(n);
  return `${n}${{ zero: 'th', one: 'st', two: 'nd', few: 'rd', many: 'th', other: 'th' }[ending]}`;
}

function lanesOf(events: readonly TraceEvent[]): string[] {
  const rank = (lane: string): number => {
    const found = LANES.findIndex((name) => lane === name || lane.startsWith(`${name}-`));
    return found < 0 ? LANES.length : found;
  };
  const lanes = [...new Set(events.map(({ lane }) => lane))];
  return lanes.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
