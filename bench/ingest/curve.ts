/** How much was done at a time. */
export interface Point {
  ms: number;
  done: number;
}

/** Of the whole, what is left out at the start, while pipes fill, and at the end, where a last batch waits to be full. */
const LEFT_OUT = { start: 0.1, end: 0.95 };

/**
 * Things done a second, from a curve that grows in jumps: between the jump that ends the first tenth and the last one within 95 %.
 * Both ends are moments at which something was finished, so the size of the jumps makes no difference. Where there are no two
 * such moments it is the whole over its time.
 */
export function sustainedRate(curve: readonly Point[], startMs: number): number {
  const total = curve.at(-1)?.done ?? 0;
  const jumps = curve.filter(({ done }, at) => done > (curve[at - 1]?.done ?? 0));
  const first = jumps.find(({ done }) => done >= LEFT_OUT.start * total);
  const last = jumps.findLast(({ done }) => done <= LEFT_OUT.end * total);
  const [from, to] =
    first !== undefined && last !== undefined && last.ms > first.ms ? [first, last] : [{ ms: startMs, done: 0 }, jumps.at(-1)];
  return to === undefined || to.ms <= from.ms ? 0 : (1000 * (to.done - from.done)) / (to.ms - from.ms);
}
