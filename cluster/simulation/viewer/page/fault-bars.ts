import type { InjectedFault } from '../../trace.ts';

/** A fault that lasts, with the bar that it has to itself while it lasts. */
export interface FaultBar {
  fault: InjectedFault;
  untilMs: number;
  bar: number;
}

/** Bars side by side for faults that overlap. */
export function faultBarsOf(faults: readonly InjectedFault[]): { bars: FaultBar[]; count: number } {
  const ends: number[] = [];
  const lasting = faults.filter(({ untilMs }) => untilMs !== undefined).sort((a, b) => a.at - b.at);
  const bars = lasting.map((fault) => {
    const free = ends.findIndex((end) => end < fault.at);
    const bar = free === -1 ? ends.length : free;
    ends[bar] = fault.untilMs!;
    return { fault, untilMs: fault.untilMs!, bar };
  });
  return { bars, count: ends.length };
}
