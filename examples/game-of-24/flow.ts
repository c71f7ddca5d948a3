import { defineFlow, defineTool, MillraceError, ToolError, z, type Plan, type Tool } from 'millrace';
import { ACTION_FEATURES, actionFlags, ITEM_FEATURES, itemFlags } from './features.ts';
import { moves, play, solvablePuzzles, solve, TARGET } from './puzzles.ts';
import { calculate, OPERATIONS, rational, toText, type Operation, type Rational } from './rational.ts';

const taskSchema = z.object({
  id: z.string().min(1),
  /** Four numbers from 1 to 13. */
  numbers: z.array(z.int().min(1).max(13)).length(4),
});

/** A puzzle: make 24 of the four numbers. */
export type Puzzle = z.infer<typeof taskSchema>;

interface Memory {
  /** The numbers on the table: first four, in the end one. */
  hand: Rational[];
  /** The steps so far, for people. */
  steps: string[];
}

const DESCRIPTIONS: Record<Operation, string> = {
  add: 'Replaces two numbers by their sum.',
  subtract: 'Replaces two numbers by the first minus the second.',
  multiply: 'Replaces two numbers by their product.',
  divide: 'Replaces two numbers by the first divided by the second.',
};
const SIGNS: Record<Operation, string> = { add: '+', subtract: '-', multiply: '*', divide: '/' };

const place = z.int().min(0).max(3);
const tool = defineTool<Memory>();

/** The calculator: takes two numbers from the table and puts the exact result there. */
function calculator(operation: Operation): Tool<Memory, { left: number; right: number }, { result: string }> {
  return tool({
    description: DESCRIPTIONS[operation],
    input: z.object({ left: place, right: place }),
    pointers: 2,
    arguments: (_, left, right) => ({ left: left ?? 0, right: right ?? 0 }),
    run({ left, right }, memory) {
      const [a, b] = [memory.hand[left], memory.hand[right]];
      if (a === undefined || b === undefined || left === right) throw new ToolError('there are no two such numbers on the table');
      const result = calculate(operation, a, b);
      if (result === undefined) throw new ToolError('division by zero');
      memory.hand = play(memory.hand, { operation, left, right, result });
      memory.steps.push(`${toText(a)} ${SIGNS[operation]} ${toText(b)} = ${toText(result)}`);
      return { result: toText(result) };
    },
  });
}

/** Make 24 of four numbers in three steps of a calculator. */
export default defineFlow<Puzzle, Memory>({
  name: 'game-of-24',
  description: 'Combines four numbers into 24 with the four operations of arithmetic.',
  task: taskSchema,
  load({ data }) {
    if (data !== undefined) {
      throw new MillraceError(
        'invalid_argument',
        `game-of-24 makes its own puzzles and reads none from ${data}; leave data out`,
        {
          field: 'data',
        },
      );
    }
    return { tasks: solvablePuzzles().map((numbers) => ({ id: numbers.join('-'), numbers })) };
  },
  tools: Object.fromEntries(OPERATIONS.map((operation) => [operation, calculator(operation)])),
  features: { state: ['numbers_left'], item: ITEM_FEATURES, action: ACTION_FEATURES },
  remember: (task) => ({ hand: task.numbers.map((n) => rational(n)), steps: [] }),
  plan: ({ hand }) => planFor(hand),
  verify: ({ hand }) => (hand.length > 1 ? 'continue' : 'stop'),
  observe: ({ hand, steps }) => ({ numbers: hand.map(toText), steps }),
  maxSteps: () => 3,
  answer: ({ hand, steps }) => ({ numbers: hand.map(toText), steps }),
  reward(_, answer) {
    const { numbers } = z.object({ numbers: z.array(z.string()) }).parse(answer);
    return numbers.length === 1 && numbers[0] === String(TARGET) ? 1 : 0;
  },
  rule({ hand }, plan) {
    const move = solve(hand);
    const index = plan.actions.findIndex(
      ({ tool: operation, items }) => operation === move?.operation && items?.[0] === move.left && items[1] === move.right,
    );
    return Math.max(0, index);
  },
});

/** Plans by hand: the flows of a group meet the same few hands again and again. */
const plans = new Map<string, Plan>();
const MOST_PLANS = 5000;

function planFor(hand: readonly Rational[]): Plan {
  const key = hand.map(toText).join(' ');
  const known = plans.get(key);
  if (known !== undefined) return known;
  const plan: Plan = {
    flags: { numbers_left: hand.length / 4 },
    items: hand.map((value) => ({ flags: itemFlags(value) })),
    actions: moves(hand).map((move) => ({
      tool: move.operation,
      items: [move.left, move.right],
      flags: actionFlags(hand, move),
    })),
  };
  if (plans.size >= MOST_PLANS) plans.clear();
  plans.set(key, plan);
  return plan;
}
