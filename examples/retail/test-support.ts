import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ToolError, type Outcome, type Plan } from 'millrace';
import flow from './flow.ts';
import type { Memory } from './memory.ts';
import type { Address, Order, OrderItem, RetailTask } from './world/records.ts';
import { World } from './world/world.ts';

/** For the tests of this example only. */

const dataRoot = process.env['MILLRACE_DATA'] ?? resolve(fileURLToPath(import.meta.url), '../../../../shared/data');
/** The folder of tau-bench's retail data, undefined where it is not there. */
export const realData = existsSync(`${dataRoot}/retail/tasks.json`) ? `${dataRoot}/retail` : undefined;

/** Chooses an action of a plan. */
export type Planner = (memory: Memory, plan: Plan) => number;

/** Runs one flow to its end, without time limits. */
export async function play(
  task: RetailTask,
  world: World,
  choose: Planner,
): Promise<{ reward: number; outcomes: Outcome[]; memory: Memory }> {
  const memory = flow.remember(task, world);
  const outcomes: Outcome[] = [];
  const { signal } = new AbortController();
  for (let step = 0; step < flow.maxSteps!(task); step += 1) {
    const plan = flow.plan(memory);
    const action = plan.actions[choose(memory, plan)];
    if (action === undefined) throw new Error('the planner chose an action that is not there');
    const tool = flow.tools[action.tool]!;
    const outcome: Outcome = { tool: action.tool, items: action.items ?? [], step };
    try {
      const input: unknown = tool.input.parse(tool.arguments(memory, ...outcome.items));
      outcome.result = await tool.run(input, memory, signal);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      outcome.error = error.message;
    }
    outcomes.push(outcome);
    if (flow.verify(memory, outcome) === 'stop') break;
  }
  const judged = await flow.reward(task, flow.answer(memory), world);
  return { reward: typeof judged === 'number' ? judged : judged.outcome, outcomes, memory };
}

export const rulePlanner: Planner = (memory, plan) => flow.rule!(memory, plan);

export const home: Address = {
  address1: '1 Fern Street',
  address2: '',
  city: 'Tulsa',
  country: 'USA',
  state: 'OK',
  zip: '74101',
};
export const office: Address = { ...home, address1: '9 Crane Street', address2: 'Unit 4', zip: '74110' };

/** A shop of two customers, two products and an order of each status, small enough to reason about. */
export function tinyWorld(): World {
  const items: OrderItem[] = [
    { name: 'Red Lamp', product_id: '10', item_id: '101', price: 20, options: { size: 'S', plug: 'EU' } },
    { name: 'Mug', product_id: '20', item_id: '201', price: 8.5, options: { glaze: 'blue' } },
  ];
  const order = (order_id: string, status: Order['status'], method: string, extra: Partial<Order> = {}): Order => ({
    order_id,
    user_id: 'ann_roe_1',
    address: { ...home },
    items: structuredClone(items),
    fulfillments: [],
    status,
    payment_history: [{ transaction_type: 'payment', amount: 28.5, payment_method_id: method }],
    ...extra,
  });
  const orders = [
    order('#W1', 'pending', 'gift_card_1'),
    order('#W2', 'delivered', 'credit_card_1'),
    order('#W3', 'processed', 'credit_card_1'),
    order('#W4', 'pending', 'credit_card_1', { user_id: 'bo_li_2' }),
    order('#W5', 'pending', 'credit_card_1'),
  ];
  return new World({
    users: {
      ann_roe_1: {
        name: { first_name: 'Ann', last_name: 'Roe' },
        address: { ...home },
        email: 'ann@example.org',
        payment_methods: {
          gift_card_1: { source: 'gift_card', id: 'gift_card_1', balance: 10 },
          credit_card_1: { source: 'credit_card', id: 'credit_card_1', brand: 'visa', last_four: '4321' },
          credit_card_2: { source: 'credit_card', id: 'credit_card_2', brand: 'visa', last_four: '8765' },
          paypal_1: { source: 'paypal', id: 'paypal_1' },
        },
        orders: ['#W1', '#W2', '#W3', '#W5'],
      },
      bo_li_2: {
        name: { first_name: 'Bo', last_name: 'Li' },
        address: { ...office },
        email: 'bo@example.org',
        payment_methods: {},
        orders: ['#W4'],
      },
    },
    products: {
      '10': {
        name: 'Red Lamp',
        product_id: '10',
        variants: {
          '101': { item_id: '101', options: { size: 'S', plug: 'EU' }, available: true, price: 20 },
          '102': { item_id: '102', options: { size: 'L', plug: 'EU' }, available: true, price: 26.1 },
          '103': { item_id: '103', options: { size: 'L', plug: 'UK' }, available: false, price: 27 },
          '104': { item_id: '104', options: { size: 'S', plug: 'UK' }, available: true, price: 35 },
        },
      },
      '20': {
        name: 'Mug',
        product_id: '20',
        variants: {
          '201': { item_id: '201', options: { glaze: 'blue' }, available: true, price: 8.5 },
          '202': { item_id: '202', options: { glaze: 'white' }, available: true, price: 6.2 },
        },
      },
    },
    orders: Object.fromEntries(orders.map((each) => [each.order_id, each])),
  });
}
