import { ToolError } from 'millrace';
import type { Database } from '../world/database.ts';
import type { Order, OrderItem, Variant } from '../world/records.ts';
import { cents } from './tool.ts';

/** @throws ToolError when an item is named more often than the order holds it. */
export function requireItems(order: Readonly<Order>, itemIds: readonly string[]): void {
  for (const id of itemIds) {
    const wanted = itemIds.filter((other) => other === id).length;
    const held = order.items.filter((item) => item.item_id === id).length;
    if (wanted > held) throw new ToolError(`Order ${order.order_id} holds item ${id} ${held} times, not ${wanted}.`);
  }
}

/** One item to be replaced by another variant of the same product. */
export interface Swap {
  old: OrderItem;
  new: Variant;
}

/**
 * Pairs items with their replacements.
 * @throws ToolError when the lists differ in length, an item is not in the order, or a replacement is not an available
 *   variant of the same product.
 */
export function pairSwaps(
  database: Database,
  order: Readonly<Order>,
  itemIds: readonly string[],
  newItemIds: readonly string[],
): { swaps: Swap[]; difference: number } {
  requireItems(order, itemIds);
  if (itemIds.length !== newItemIds.length) {
    throw new ToolError(`${itemIds.length} items cannot be replaced by ${newItemIds.length}; give one replacement for each.`);
  }
  let difference = 0;
  const swaps = itemIds.map((id, i): Swap => {
    const old = order.items.find((item) => item.item_id === id)!;
    const newId = newItemIds[i]!;
    const variants = database.product(old.product_id)?.variants ?? {};
    const variant = Object.hasOwn(variants, newId) ? variants[newId] : undefined;
    if (variant === undefined) throw new ToolError(`Item ${newId} is not a variant of ${old.name}.`);
    if (!variant.available) throw new ToolError(`Item ${newId} is not available.`);
    difference += variant.price - old.price;
    return { old, new: variant };
  });
  return { swaps, difference: cents(difference) };
}
