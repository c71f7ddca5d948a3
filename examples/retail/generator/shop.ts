import type { Random } from 'millrace';
import { cents } from '../tools/tool.ts';
import type { Order, OrderItem, Product, User, Variant } from '../world/records.ts';
import { CATALOGUE } from './catalogue.ts';
import { between, chance, freshDigits, pick, shuffled, weighted } from './draw.ts';
import { makeAddress } from './people.ts';

/** Products by id; each has some of the possible variants, about one in five of them sold out. */
export function makeProducts(random: Random): Record<string, Product> {
  const used = new Set<string>();
  const products: Record<string, Product> = {};
  for (const [name, price, options] of CATALOGUE) {
    const product_id = freshDigits(random, 10, used);
    const variants: Record<string, Variant> = {};
    const possible = shuffled(random, combinations(Object.entries(options)));
    for (const chosen of possible.slice(0, between(random, 5, Math.min(possible.length, 16)))) {
      const item_id = freshDigits(random, 10, used);
      variants[item_id] = {
        item_id,
        options: chosen,
        available: chance(random, 0.8),
        price: cents(price * (0.85 + 0.3 * random.uniform())),
      };
    }
    products[product_id] = { name, product_id, variants };
  }
  return products;
}

function combinations(options: readonly (readonly [string, readonly string[]])[]): Record<string, string>[] {
  return options.reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((record) => values.map((value) => ({ ...record, [name]: value }))),
    [{}],
  );
}

const STATUSES = ['pending', 'delivered', 'processed', 'cancelled'] as const;

/** Orders by id; adds each to its customer's list. */
export function makeOrders(
  random: Random,
  users: Readonly<Record<string, User>>,
  products: Readonly<Record<string, Product>>,
): Record<string, Order> {
  const used = new Set<string>();
  const shelf = Object.values(products);
  const orders: Record<string, Order> = {};
  for (const [user_id, user] of Object.entries(users)) {
    const count = weighted(random, [4, 26, 27, 18, 11, 6, 4, 2, 2]);
    for (let i = 0; i < count; i += 1) {
      const order_id = `#W${freshDigits(random, 7, used)}`;
      const items = makeItems(random, shelf);
      const status = STATUSES[weighted(random, [46, 40, 7, 7])]!;
      const payment = {
        amount: cents(items.reduce((sum, item) => sum + item.price, 0)),
        payment_method_id: pick(random, Object.keys(user.payment_methods)),
      };
      orders[order_id] = {
        order_id,
        user_id,
        address: chance(random, 0.6) ? { ...user.address } : makeAddress(random),
        items,
        fulfillments:
          status === 'pending' || status === 'cancelled'
            ? []
            : [{ tracking_id: [freshDigits(random, 12, used)], item_ids: items.map((item) => item.item_id) }],
        status,
        payment_history: [
          { transaction_type: 'payment', ...payment },
          ...(status === 'cancelled' ? [{ transaction_type: 'refund' as const, ...payment }] : []),
        ],
      };
      user.orders.push(order_id);
    }
  }
  return orders;
}

function makeItems(random: Random, shelf: readonly Product[]): OrderItem[] {
  const count = 1 + weighted(random, [22, 22, 20, 18, 18]);
  const chosen = shuffled(random, shelf).slice(0, count);
  // Now and then two pieces of one product, so that the options are needed to tell them apart.
  if (count > 1 && chance(random, 0.2)) chosen[1] = chosen[0]!;
  const items: OrderItem[] = [];
  for (const { name, product_id, variants } of chosen) {
    const { item_id, price, options } = pick(random, Object.values(variants));
    if (!items.some((item) => item.item_id === item_id))
      items.push({ name, product_id, item_id, price, options: { ...options } });
  }
  return items;
}
