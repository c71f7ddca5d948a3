import { defineFlow, type Plan } from 'millrace';
import { actions } from './actions.ts';
import { countRequests } from './analyzer/analyze.ts';
import { loadTasks } from './load.ts';
import { hasOpenSibling, hasProducts, remember, type Memory } from './memory.ts';
import { decide } from './rule.ts';
import { sameChanges, type Changes } from './world/database.ts';
import { goldChanges, progress } from './world/gold.ts';
import { retailTaskSchema, type Product, type RetailTask } from './world/records.ts';
import { World } from './world/world.ts';

const STATUSES = ['pending', 'processed', 'delivered', 'cancelled'] as const;

/** Customer service over an order database: find out who writes, look things up, do what they ask. */
export default defineFlow<RetailTask, Memory>({
  name: 'retail',
  description: "Does what a shop's customers ask for, by the shop's rules.",
  task: retailTaskSchema,
  splitKey: (task) => task.user_id,
  type: (task) => requestsOf(countRequests(task.instruction)),
  load: loadTasks,
  tools: actions,
  features: {
    state: ['authenticated', 'profile_loaded', 'has_email', 'has_zip', 'auth_failed', 'last_failed'],
    item: [
      'order_loaded',
      ...STATUSES,
      'other_status',
      'products_loaded',
      'written',
      'failed_once',
      'failed_often',
      'last_failed',
      'sibling_open',
    ],
  },
  remember: (task, context) => remember(task, world(context)),
  plan,
  verify(memory, { tool, items, result, error }) {
    const failed = error !== undefined;
    memory.lastFailed = failed;
    const state = memory.clauses[items[0] ?? -1];
    if (state !== undefined) {
      state.lastFailed = failed;
      if (failed) state.errors += 1;
      else if (!tool.startsWith('get_')) state.written = true;
    }
    if (failed) {
      if (tool.startsWith('auth_')) memory.authFailed.add(tool);
    } else if (tool.startsWith('auth_')) memory.userId = result as string;
    else if (tool === 'get_user') memory.userLoaded = true;
    else if (tool === 'get_order') memory.orders.add(state!.clause.slots.orderId!);
    else if (tool === 'get_product') for (const product of result as Product[]) memory.products.add(product.product_id);
    if (tool === 'done' || tool === 'transfer') return 'stop';
    return memory.clauses.every((clause) => clause.written) ? 'stop' : 'continue';
  },
  potential: ({ task, database }) => progress(goldChanges(database.world, task), database.changes()),
  observe: ({ userId, userLoaded, orders, database, products, clauses }) => ({
    customer: userId ?? null,
    profile: userLoaded,
    orders: [...orders].map((id) => `${id} ${database.order(id)?.status}`),
    products: [...products],
    requests: clauses.map(({ clause, written, errors }) => ({ text: clause.text, written, errors })),
  }),
  maxSteps: (task) => 8 + 4 * countRequests(task.instruction),
  answer: (memory) => memory.database.changes(),
  components: ['progress'],
  reward(task, answer, context) {
    const gold = goldChanges(world(context), task);
    const changes = answer as Changes;
    return { outcome: sameChanges(gold, changes) ? 1 : 0, components: { progress: progress(gold, changes) } };
  },
  rule(memory, plan) {
    const { tool, clause } = decide(memory);
    return plan.actions.findIndex((action) => action.tool === tool && action.items?.[0] === clause);
  },
});

/** Success is told apart by how much a customer wants. */
const requestsOf = (count: number): string => (count === 1 ? '1 request' : `${count} requests`);

function world(context: unknown): World {
  if (!(context instanceof World)) throw new TypeError('the retail flow needs the context that its load() gives');
  return context;
}

/** What the planner sees: the requests in the customer's words, and what the tools have answered so far. */
function plan(memory: Memory): Plan {
  return {
    flags: {
      authenticated: memory.userId !== undefined,
      profile_loaded: memory.userLoaded,
      has_email: memory.header.email !== undefined,
      has_zip: memory.header.zip !== undefined,
      auth_failed: memory.authFailed.size > 0,
      last_failed: memory.lastFailed,
    },
    items: memory.clauses.map((_, index) => item(memory, index)),
    actions: memory.actions,
  };
}

function item(memory: Memory, index: number): Plan['items'][number] {
  const { clause, written, errors, lastFailed } = memory.clauses[index]!;
  const { orderId } = clause.slots;
  const order = orderId !== undefined && memory.orders.has(orderId) ? memory.database.order(orderId) : undefined;
  const status = order?.status;
  return {
    text: clause.text,
    flags: {
      order_loaded: order !== undefined,
      pending: status === 'pending',
      processed: status === 'processed',
      delivered: status === 'delivered',
      cancelled: status === 'cancelled',
      other_status: status !== undefined && !(STATUSES as readonly string[]).includes(status),
      products_loaded: order !== undefined && hasProducts(memory, index),
      written,
      failed_once: errors > 0,
      failed_often: errors > 2,
      last_failed: lastFailed,
      sibling_open: hasOpenSibling(memory, index),
    },
  };
}
