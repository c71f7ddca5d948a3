import { defineFlow, defineTool, ToolError, z, type Plan, type Tool } from 'millrace';
import { loadProblems } from './load.ts';
import {
  calculate,
  lastResult,
  MOST_CALLS,
  openAnswers,
  openCalls,
  openIgnores,
  OPERATIONS,
  remember,
  unaccounted,
  type Item,
  type Memory,
  type Operation,
} from './memory.ts';
import { matches, problemSchema, type Problem } from './problem.ts';
import { bestStep } from './rule.ts';

const DESCRIPTIONS: Record<Operation, string> = {
  add: 'Adds two numbers.',
  subtract: 'Takes the second number away from the first.',
  multiply: 'Multiplies two numbers.',
  divide: 'Divides the first number by the second.',
};

const tool = defineTool<Memory>();

/** The calculator: a result becomes an item that later steps can point to. */
function calculator(operation: Operation): Tool<Memory, { left: number; right: number }, number> {
  return tool({
    description: DESCRIPTIONS[operation],
    input: z.object({ left: z.number(), right: z.number() }),
    pointers: 2,
    arguments: ({ items }, left, right) => ({ left: items[left ?? 0]!.value, right: items[right ?? 0]!.value }),
    run({ left, right }) {
      const result = calculate(operation, left, right);
      if (result === undefined) throw new ToolError(`${operation} ${left} ${right} has no finite result`);
      return result;
    },
  });
}

/** Arithmetic word problems: which numbers of the text to combine how, with a calculator, and when to answer. */
export default defineFlow<Problem, Memory>({
  name: 'word-problems',
  description: 'Solves arithmetic word problems with a calculator.',
  task: problemSchema,
  splitKey: (problem) => problem.cluster ?? problem.id,
  load: loadProblems,
  tools: {
    ...Object.fromEntries(OPERATIONS.map((operation) => [operation, calculator(operation)])),
    ignore: tool({
      description: 'Sets a number aside that has nothing to do with the question.',
      input: z.object({ item: z.int() }),
      pointers: 1,
      arguments: (_, item) => ({ item: item ?? 0 }),
      run: ({ item }) => item,
    }),
    answer: tool({
      description: 'Answers with a number and ends.',
      input: z.object({ value: z.number() }),
      pointers: 1,
      arguments: ({ items }, item) => ({ value: items[item ?? 0]!.value }),
      run: ({ value }) => value,
    }),
  },
  features: {
    state: [
      ...['calls_0', 'calls_1', 'calls_2', 'calls_3', 'two_numbers', 'three_numbers', 'more_numbers'],
      ...['open_1', 'open_2', 'open_more', 'last_failed'],
    ],
    item: [
      ...['result', 'newest', 'used', 'ignored', 'call_0', 'call_1', 'call_2'],
      ...OPERATIONS.map((name) => `from_${name}`),
      ...['size', 'whole', 'year'],
    ],
    action: ['left_larger', 'right_larger', 'divides', 'left_new', 'right_new', 'accounts_for_all'],
  },
  remember,
  plan,
  verify(memory, { tool: name, items, result, error }) {
    memory.lastFailed = error !== undefined;
    if (name === 'answer') {
      memory.answer = result as number;
      return 'stop';
    }
    if (name === 'ignore') {
      memory.items[items[0]!]!.ignored = true;
      return 'continue';
    }
    memory.calls += 1;
    if (error === undefined) {
      for (const i of items) memory.items[i]!.used = true;
      memory.items.push({
        value: result as number,
        from: { operation: name as Operation, call: memory.calls - 1 },
        used: false,
        ignored: false,
      });
    }
    return 'continue';
  },
  observe: ({ problem, items, answer }) => ({
    question: problem.question,
    numbers: items.map(({ value, used, ignored }) => ({ value, used, ignored })),
    answer: answer ?? null,
  }),
  maxSteps: (problem) => MOST_CALLS + problem.numbers.length + 1,
  answer: ({ answer }) => answer ?? null,
  reward: (problem, answer) => (typeof answer === 'number' && matches(answer, problem.answer) ? 1 : 0),
  rule(memory, { actions }) {
    const step = bestStep(memory);
    const [name, items] =
      'answer' in step
        ? ['answer', [step.answer]]
        : 'ignore' in step
          ? ['ignore', [step.ignore]]
          : [step.operation, [step.left, step.right]];
    return actions.findIndex((action) => action.tool === name && String(action.items) === String(items));
  },
});

/** What the planner sees: the question, its numbers where they stand in it, the results so far, and what is open. */
function plan(memory: Memory): Plan {
  const { problem, items, calls } = memory;
  const last = lastResult(memory);
  const count = problem.numbers.length;
  const open = unaccounted(memory);
  return {
    text: problem.question,
    flags: {
      [`calls_${calls}`]: true,
      two_numbers: count === 2,
      three_numbers: count === 3,
      more_numbers: count > 3,
      open_1: open.length === 1,
      open_2: open.length === 2,
      open_more: open.length > 2,
      last_failed: memory.lastFailed,
    },
    items: items.map((item, i) => ({ ...(item.at !== undefined && { at: item.at }), flags: itemFlags(item, i === last) })),
    actions: [
      ...openCalls(memory).map(({ operation, left, right }) => ({
        tool: operation,
        items: [left, right],
        flags: callFlags(memory, left, right, open),
      })),
      ...openIgnores(memory).map((i) => ({ tool: 'ignore', items: [i] })),
      ...openAnswers(memory).map((i) => ({ tool: 'answer', items: [i] })),
    ],
  };
}

/** How the two numbers of a call compare, and whether it uses new ones. */
function callFlags({ items }: Memory, left: number, right: number, open: readonly number[]): Record<string, boolean> {
  const [a, b] = [items[left]!.value, items[right]!.value];
  return {
    left_larger: a > b,
    right_larger: a < b,
    divides: b !== 0 && Number.isInteger(a / b),
    left_new: open.includes(left),
    right_new: open.includes(right),
    accounts_for_all: open.every((i) => i === left || i === right),
  };
}

function itemFlags({ value, from, used, ignored }: Item, newest: boolean): Record<string, number | boolean> {
  return {
    ...(from !== undefined && { result: true, [`call_${from.call}`]: true, [`from_${from.operation}`]: true }),
    newest,
    used,
    ignored,
    size: Math.log10(1 + Math.abs(value)) / 3,
    whole: Number.isInteger(value),
    year: from === undefined && Number.isInteger(value) && value >= 1900 && value <= 2100,
  };
}
