import { MillraceError, seededRandom, z, type Json, type Random } from 'millrace';
import { sameChanges } from '../world/database.ts';
import { replayGold } from '../world/gold.ts';
import type { Order, RetailTask } from '../world/records.ts';
import { World } from '../world/world.ts';
import { chance, pick, shuffled, weighted } from './draw.ts';
import { makeUsers } from './people.ts';
import {
  makeAddressChange,
  makeCancel,
  makePaymentChange,
  makeReturn,
  makeSwap,
  makeUserAddressChange,
  type Request,
  type Scene,
} from './requests.ts';
import { makeOrders, makeProducts } from './shop.ts';
import { writeMessage } from './words.ts';

/** Options of the generator: `source:` of job.yaml. */
const generatorOptionsSchema = z.strictObject({
  /** Customers, with about 2.4 orders each. */
  users: z.int().min(20).max(100_000).default(500),
  /** Messages of customers. */
  tasks: z.int().min(1).max(1_000_000).default(450),
  /** Weights of messages with 1, 2, … requests. */
  requests: z.array(z.number().min(0)).min(1).max(7).default([50, 24, 13, 7, 3, 2, 1]),
});

/**
 * Makes up a shop and the messages of its customers with their gold calls; the same for the same seed and options.
 * @throws MillraceError `invalid_argument` for options that do not fit.
 */
export function generate(options: Readonly<Record<string, Json>>, seed: number): { world: World; tasks: RetailTask[] } {
  const parsed = generatorOptionsSchema.safeParse(options);
  if (!parsed.success) {
    throw new MillraceError('invalid_argument', `source: ${z.prettifyError(parsed.error)}`, {
      field: ['source', ...(parsed.error.issues[0]?.path ?? [])].join('.'),
    });
  }
  const { users: userCount, tasks: taskCount, requests: weights } = parsed.data;
  if (!weights.some((weight) => weight > 0)) {
    throw new MillraceError('invalid_argument', 'source.requests: give at least one weight above 0', {
      field: 'source.requests',
    });
  }
  const random = seededRandom(seed);
  const users = makeUsers(random.fork('users'), userCount);
  const products = makeProducts(random.fork('products'));
  const orders = makeOrders(random.fork('orders'), users, products);
  const world = new World({ users, products, orders });
  const userIds = Object.keys(users);
  const tasks: RetailTask[] = [];
  const draws = random.fork('tasks');
  while (tasks.length < taskCount) {
    // Only few customers have orders enough for many requests; in a small shop, perhaps none.
    for (let count = 1 + weighted(draws, weights), attempts = 0, made = false; !made; attempts += 1) {
      if (attempts > 0 && attempts % 1000 === 0 && count > 1) count -= 1;
      const task = makeTask(draws, world, pick(draws, userIds), `made-${tasks.length}`, count);
      if (task !== undefined) tasks.push(task);
      made = task !== undefined;
    }
  }
  return { world, tasks };
}

/** A message with this many requests, or undefined when this customer cannot make it. */
function makeTask(random: Random, world: World, userId: string, id: string, count: number): RetailTask | undefined {
  const user = world.users[userId]!;
  // At most three requests about an order, and one each about the profile and somebody else's order.
  if (3 * user.orders.length + 2 < count) return undefined;
  const requests = chooseRequests({ random, world, userId, user }, count);
  if (requests.length !== count || requests.every((request) => request.action === undefined)) return undefined;
  const actions = goldOrder(requests);
  const gold = replayGold(world, actions);
  // Gift cards may run dry: what one request can pay for must not depend on which comes first.
  const other = replayGold(world, goldOrder([...requests].reverse()));
  const failed = [...gold.calls, ...other.calls].some((call) => call.error !== undefined);
  if (failed || !sameChanges(gold.changes, other.changes) || Object.keys(gold.changes).length === 0) return undefined;
  const email = chance(random, 0.08) ? user.email.replace('@', '@old.') : user.email;
  return { id, user_id: userId, instruction: writeMessage(random, user, email, requests), actions };
}

/** The gold calls: modifying items locks an order, so that comes last. */
function goldOrder(requests: readonly Request[]): RetailTask['actions'] {
  const last = (request: Request): number => (request.kind === 'modify_items' ? 1 : 0);
  return [...requests].sort((a, b) => last(a) - last(b)).flatMap(({ action }) => (action === undefined ? [] : [action]));
}

function chooseRequests(scene: Scene, count: number): Request[] {
  const { random, world, user } = scene;
  const requests: Request[] = [];
  if (chance(random, 0.04 + 0.02 * count)) requests.push(makeUserAddressChange(scene));
  if (count > 1 && chance(random, 0.05)) {
    const foreign = pick(
      random,
      world.once('all', 'orders', () => Object.values(world.orders)),
    );
    if (foreign.user_id !== scene.userId) requests.push(makeCancel(scene, foreign, 'foreign'));
  }
  for (const id of shuffled(random, user.orders)) {
    const room = count - requests.length;
    if (room <= 0) break;
    requests.push(...shuffled(random, forOrder(scene, world.orders[id]!)).slice(0, room));
  }
  // A change of the profile's address and an order "to my default address" in one message could be read either way.
  const moves = requests.some((request) => request.kind === 'modify_user_address');
  if (moves && requests.some((request) => request.address === 'profile')) return [];
  return shuffled(random, requests);
}

/** What a customer may ask for about one order. */
function forOrder(scene: Scene, order: Readonly<Order>): Request[] {
  const { random } = scene;
  if (order.status === 'delivered') {
    const request = chance(random, 0.5) ? makeReturn(scene, order) : makeSwap(scene, order);
    return request === undefined ? [] : [request];
  }
  if (order.status !== 'pending') return chance(random, 0.3) ? [makeCancel(scene, order, 'late')] : [];
  if (chance(random, 0.38)) return [makeCancel(scene, order)];
  const requests: (Request | undefined)[] = [];
  const bundle = weighted(random, [40, 16, 12, 14, 10, 8]);
  if ([0, 3, 4, 5].includes(bundle)) requests.push(makeSwap(scene, order));
  if ([1, 3, 5].includes(bundle)) requests.push(makeAddressChange(scene, order));
  if ([2, 4, 5].includes(bundle)) requests.push(makePaymentChange(scene, order));
  return requests.filter((request) => request !== undefined);
}
