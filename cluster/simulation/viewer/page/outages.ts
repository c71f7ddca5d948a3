import type { TraceOfRun } from '../../trace.ts';

/** A time in which a node was down or stood still. */
export interface Outage {
  lane: string;
  kind: 'crash' | 'pause';
  /** Index of the first event in it. */
  from: number;
  /** Index of the event that ended it; the number of events when none did. */
  to: number;
}

const ENDS = { crash: 'start', pause: 'resume' } as const;

/** When nodes were down or stood still. */
export function outagesOf({ events }: TraceOfRun): Outage[] {
  const outages: Outage[] = [];
  const open = new Map<string, Outage>();
  for (const { index, lane, kind } of events) {
    const current = open.get(lane);
    if (current !== undefined && (kind === ENDS[current.kind] || kind === 'start')) {
      current.to = index;
      open.delete(lane);
    } else if ((kind === 'crash' || kind === 'pause') && current === undefined && lane !== 'faults') {
      const outage: Outage = { lane, kind, from: index, to: events.length };
      outages.push(outage);
      open.set(lane, outage);
    }
  }
  return outages;
}
