import { ToolError, z } from 'millrace';
import type { Order, Product } from '../world/records.ts';
import { evaluate } from './arithmetic.ts';
import { findOrder, orderId, shopTool } from './tool.ts';

/** Tools that change nothing. */

export const get_order_details = shopTool({
  description: 'Shows an order: items, status, address, deliveries and payments.',
  input: z.object({ order_id: orderId }),
  run({ order_id }, database): Readonly<Order> {
    return findOrder(database, order_id);
  },
});

export const get_product_details = shopTool({
  description: 'Shows a product with its variants, their options, prices and availability.',
  input: z.object({ product_id: z.string().min(1).describe('id of the product, which is not an item id') }),
  run({ product_id }, database): Readonly<Product> {
    const product = database.product(product_id);
    if (product === undefined) throw new ToolError(`There is no product ${product_id}.`);
    return product;
  },
});

export const list_all_product_types = shopTool({
  description: 'Lists the names of all products with their product ids, by name.',
  input: z.object({}),
  run(_, database): Record<string, string> {
    const named = Object.values(database.world.products).map((product) => [product.name, product.product_id] as const);
    return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  },
});

export const calculate = shopTool({
  description: 'Works out an expression of numbers, + - * / and parentheses; the result is in whole cents.',
  input: z.object({ expression: z.string().min(1).max(500) }),
  run({ expression }): string {
    return evaluate(expression).toFixed(2);
  },
});

export const think = shopTool({
  description: 'Notes a thought; nothing is looked up and nothing changes.',
  input: z.object({ thought: z.string() }),
  run(): string {
    return '';
  },
});

export const transfer_to_human_agents = shopTool({
  description: 'Hands the customer to a person, with a summary, when no tool can do what was asked.',
  input: z.object({ summary: z.string() }),
  run(): string {
    return 'transferred';
  },
});
