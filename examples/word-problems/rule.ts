import { calculate, lastResult, MOST_CALLS, openAnswers, openCalls, openIgnores, type Call, type Memory } from './memory.ts';
import { matches } from './problem.ts';

/** What the rule planner does next. */
export type Step = Call | { answer: number } | { ignore: number };

/**
 * Searches for a shortest sequence of open calls that ends in the answer of the problem, which
 * it knows. It shows which problems can be solved at all; it could not be deployed.
 */
export function bestStep(memory: Memory): Step {
  const { items, problem } = memory;
  const last = lastResult(memory);
  const isAnswer = (i: number): boolean => matches(items[i]?.value ?? Number.NaN, problem.answer);
  const there = last >= 0 ? isAnswer(last) : items.some((_, i) => isAnswer(i));
  if (!there) {
    for (let depth = 1; depth <= MOST_CALLS - memory.calls; depth++) {
      const call = openCalls(memory).find((candidate) => leads(memory, candidate, depth));
      if (call !== undefined) return call;
    }
  }
  // Found, or out of reach: set aside what was not used, and answer.
  const ignores = openIgnores(memory);
  const ignore = ignores.find((i) => last >= 0 || !isAnswer(i)) ?? ignores[0];
  if (ignore !== undefined) return { ignore };
  return { answer: openAnswers(memory)[0] ?? 0 };
}

function leads(memory: Memory, call: Call, depth: number): boolean {
  const value = calculate(call.operation, memory.items[call.left]?.value ?? 0, memory.items[call.right]?.value ?? 0);
  if (value === undefined) return false;
  if (depth === 1) return matches(value, memory.problem.answer);
  const from = { operation: call.operation, call: memory.calls };
  const next: Memory = {
    ...memory,
    calls: memory.calls + 1,
    items: [...memory.items, { value, from, used: false, ignored: false }],
  };
  return openCalls(next).some((candidate) => leads(next, candidate, depth - 1));
}
