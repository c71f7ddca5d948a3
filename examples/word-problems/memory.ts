import { slots, type Problem } from './problem.ts';

export const OPERATIONS = ['add', 'subtract', 'multiply', 'divide'] as const;

/** One of {@link OPERATIONS}. */
export type Operation = (typeof OPERATIONS)[number];

/** Calculator calls a problem may take. */
export const MOST_CALLS = 3;

/** A number of the question, or the result of a call. */
export interface Item {
  value: number;
  /** Word of the question it stands at. */
  at?: number;
  /** The call it came from. */
  from?: { operation: Operation; call: number };
  /** A call has used it. */
  used: boolean;
  /** A number that was said to have nothing to do with the question. */
  ignored: boolean;
}

/** What the flow knows while it works on a problem. */
export interface Memory {
  problem: Problem;
  items: Item[];
  /** Calls made, failed ones included. */
  calls: number;
  lastFailed: boolean;
  /** The value that was answered. */
  answer: number | undefined;
}

export function remember(problem: Problem): Memory {
  const stand = slots(problem.question);
  const items = problem.numbers.map((value, i): Item => ({ value, at: stand.get(i) ?? 0, used: false, ignored: false }));
  return { problem, items, calls: 0, lastFailed: false, answer: undefined };
}

/** Index of the newest result, −1 before the first. */
export function lastResult(memory: Memory): number {
  const last = memory.items.length - 1;
  return memory.items[last]?.from === undefined ? -1 : last;
}

/** A call that is open: an operation on two different items. */
export interface Call {
  operation: Operation;
  left: number;
  right: number;
}

/**
 * The calls that make sense now. From the second call on one of the two numbers is the last result: a call whose result
 * nothing uses is wasted, and most random sequences would be. Sums and products come once a pair.
 */
export function openCalls(memory: Memory): Call[] {
  if (memory.calls >= MOST_CALLS) return [];
  const { items } = memory;
  const last = lastResult(memory);
  const calls: Call[] = [];
  for (let left = 0; left < items.length; left++) {
    for (let right = 0; right < items.length; right++) {
      if (left === right || (last >= 0 && left !== last && right !== last)) continue;
      if (items[left]?.ignored === true || items[right]?.ignored === true) continue;
      for (const operation of OPERATIONS) {
        const commutes = operation === 'add' || operation === 'multiply';
        if (commutes && left > right) continue;
        calls.push({ operation, left, right });
      }
    }
  }
  return calls;
}

/** Numbers of the question that are neither used nor ignored yet. */
export function unaccounted({ items }: Memory): number[] {
  return [...items.keys()].filter((i) => items[i]?.from === undefined && items[i]?.used === false && !items[i].ignored);
}

/** Numbers that may be ignored: any that is not used, as long as something is left to answer with. */
export function openIgnores(memory: Memory): number[] {
  const open = unaccounted(memory);
  return lastResult(memory) < 0 && open.length < 2 ? [] : open;
}

/**
 * Items that may be answered. Every number of the question must be used or ignored first: otherwise the planner learns to
 * answer after one call, which is right often enough, and never finds out what a second one is good for.
 */
export function openAnswers(memory: Memory): number[] {
  const open = unaccounted(memory);
  const last = lastResult(memory);
  if (last >= 0) return open.length === 0 ? [last] : [];
  return open.length === 1 ? open : [];
}

/** Undefined where there is no finite result. */
export function calculate(operation: Operation, a: number, b: number): number | undefined {
  const result = { add: a + b, subtract: a - b, multiply: a * b, divide: a / b }[operation];
  return Number.isFinite(result) ? result : undefined;
}
