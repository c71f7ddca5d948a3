import type { Clock } from './clock.ts';

/** Virtual clocks that are driven, in the order in which that began. */
const driven: Clock[] = [];

/** The virtual clock that this process goes by; undefined where time is real. Of several the one that was begun last. */
export function drivenClock(): Clock | undefined {
  return driven.at(-1);
}

/** The process goes by a virtual clock from now on. Returns what ends that. */
export function startDriving(clock: Clock): () => void {
  driven.push(clock);
  return () => void driven.splice(driven.lastIndexOf(clock), 1);
}
