import { agentTool, defineAgent, seededRandom, ToolError, z } from 'millrace';

/** A customer wants the money of one of their orders back. */
interface Task {
  id: string;
  customer: string;
  /** What the order is of. */
  item: string;
}

interface Desk {
  orders: Map<string, { customer: string; item: string }>;
  refunded: string[];
}

const ITEMS = ['lamp', 'chair', 'kettle', 'radio', 'clock', 'scarf'];
const CUSTOMERS = ['ann', 'bo', 'cleo', 'dan'];

const tool = agentTool<Desk>();

export default defineAgent<Task, Desk>({
  name: 'order-desk',
  task: z.object({ id: z.string(), customer: z.string(), item: z.string() }),
  load({ seed }) {
    const random = seededRandom(seed);
    const one = (of: string[]): string => of[random.integer(of.length)]!;
    return { tasks: Array.from({ length: 200 }, (_, i) => ({ id: `t${i}`, customer: one(CUSTOMERS), item: one(ITEMS) })) };
  },
  instructions: 'You work at an order desk. Find the order that the customer means, and refund it.',
  messages: ({ customer, item }) => `This is ${customer}. I want my money for the ${item} back.`,
  memory: () => ({
    orders: new Map(CUSTOMERS.flatMap((customer, c) => ITEMS.map((item, i) => [`W${c}${i}`, { customer, item }]))),
    refunded: [],
  }),
  tools: [
    tool({
      name: 'find_orders',
      description: 'Lists the orders of a customer, each with its id.',
      input: z.object({ customer: z.string() }),
      run({ customer }, { orders }) {
        const found = [...orders].filter(([, order]) => order.customer === customer);
        if (found.length === 0) throw new ToolError(`there is no customer ${customer}`);
        return found.map(([id, { item }]) => ({ id, item }));
      },
    }),
    tool({
      name: 'refund',
      description: 'Gives the money of an order back.',
      input: z.object({ order: z.string().describe('its id') }),
      run({ order }, { orders, refunded }) {
        if (!orders.has(order)) throw new ToolError(`there is no order ${order}`);
        refunded.push(order);
        return 'done';
      },
    }),
  ],
  maxTurns: 6,
  tokenBudget: 400,
  observe: ({ refunded }) => ({ refunded }),
  answer: ({ orders, refunded }) => refunded.map((order) => orders.get(order)!),
  reward(task, answer) {
    const [first, ...others] = answer as { customer: string; item: string }[];
    return first?.customer === task.customer && first.item === task.item && others.length === 0 ? 1 : 0;
  },
  /** Written by hand: what a good conversation looks like. */
  rule({ refunded }, { messages }) {
    if (refunded.length > 0) return 'Your money is on its way.';
    const [, customer, item] = /This is (\w+)\. .* for the (\w+) back/.exec(messages[1]!.content)!;
    const found = messages.find(({ role }) => role === 'tool');
    if (found === undefined) return { calls: [{ tool: 'find_orders', arguments: { customer } }] };
    const order = (JSON.parse(found.content) as { id: string; item: string }[]).find((each) => each.item === item);
    return { calls: [{ tool: 'refund', arguments: { order: order!.id } }] };
  },
});
