import { ToolError } from 'millrace';
import type { AddressSlot, PaymentSlot } from './analyzer/slots.ts';
import type { ClauseState, Memory } from './memory.ts';
import type { Address, Order, OrderItem, Product, User } from './world/records.ts';

/** The frozen executor: fills a tool's arguments from a clause and the records looked up so far. */

/** @throws ToolError before authentication. */
export function authenticated(memory: Memory): string {
  if (memory.userId === undefined) throw new ToolError('Find out who the customer is first.');
  return memory.userId;
}

/** The clause an action points to. */
export function clauseAt(memory: Memory, index: number): ClauseState {
  const state = memory.clauses[index];
  if (state === undefined) throw new ToolError(`There is no request ${index}.`);
  return state;
}

/** The id of the order a clause is about. @throws ToolError when it names none or nobody is authenticated. */
export function orderIdOf(memory: Memory, index: number): string {
  authenticated(memory);
  const { orderId } = clauseAt(memory, index).clause.slots;
  if (orderId === undefined) throw new ToolError('This request names no order.');
  return orderId;
}

/** The order a clause is about. @throws ToolError unless it was looked up. */
export function orderOf(memory: Memory, index: number): Readonly<Order> {
  const id = orderIdOf(memory, index);
  const order = memory.orders.has(id) ? memory.database.order(id) : undefined;
  if (order === undefined) throw new ToolError(`Look order ${id} up first.`);
  return order;
}

/** The profile. @throws ToolError unless it was looked up. */
function profile(memory: Memory): Readonly<User> {
  const user = memory.userLoaded ? memory.database.user(authenticated(memory)) : undefined;
  if (user === undefined) throw new ToolError("Look the customer's profile up first.");
  return user;
}

/** The lines of the order that a clause's items mean, one each. @throws ToolError when there are none or one is not there. */
export function linesOf(memory: Memory, index: number): OrderItem[] {
  const order = orderOf(memory, index);
  const { items } = clauseAt(memory, index).clause.slots;
  if (items.length === 0) throw new ToolError('This request names no items.');
  const taken = new Set<OrderItem>();
  for (const { name, from } of items) {
    const line = order.items.find((item) => !taken.has(item) && item.name === name && agrees(item.options, from));
    if (line === undefined) throw new ToolError(`Order ${order.order_id} holds no such ${name}.`);
    taken.add(line);
  }
  return [...taken];
}

function agrees(options: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>> | undefined): boolean {
  return wanted === undefined || Object.entries(wanted).every(([name, value]) => options[name] === value);
}

/** Product ids of a clause's items, each once. */
export function productIdsOf(memory: Memory, index: number): string[] {
  return [...new Set(linesOf(memory, index).map((line) => line.product_id))];
}

/** Item ids of a clause's items and of what they should become. @throws ToolError unless order and products were looked up. */
export function swapsOf(memory: Memory, index: number): { item_ids: string[]; new_item_ids: string[] } {
  const lines = linesOf(memory, index);
  const { items } = clauseAt(memory, index).clause.slots;
  return {
    item_ids: lines.map((line) => line.item_id),
    new_item_ids: lines.map((line, i) => {
      const to = items[i]?.to;
      if (to === undefined) throw new ToolError(`This request does not say what to replace ${line.name} by.`);
      const product = memory.products.has(line.product_id) ? memory.database.product(line.product_id) : undefined;
      if (product === undefined) throw new ToolError(`Look the product ${line.name} up first.`);
      return variantWith(product, { ...line.options, ...to });
    }),
  };
}

/** The variant with these options, an available one if there is a choice. */
function variantWith(product: Readonly<Product>, options: Readonly<Record<string, string>>): string {
  const names = Object.keys(options).length;
  const matching = Object.values(product.variants).filter(
    (variant) => Object.keys(variant.options).length === names && agrees(variant.options, options),
  );
  const chosen = matching.find((variant) => variant.available) ?? matching[0];
  if (chosen === undefined) throw new ToolError(`${product.name} does not come with these options.`);
  return chosen.item_id;
}

/** The id of the payment method a clause names. @throws ToolError when it names none, or the profile is needed for it. */
export function paymentOf(memory: Memory, index: number): string {
  const slot: PaymentSlot | undefined = clauseAt(memory, index).clause.slots.payment;
  if (slot === undefined) throw new ToolError('This request names no payment method.');
  if (slot.by === 'id') return slot.id;
  if (slot.by === 'original') {
    const first = orderOf(memory, index).payment_history[0];
    if (first === undefined) throw new ToolError('This order was never paid.');
    return first.payment_method_id;
  }
  const matching = Object.values(profile(memory).payment_methods).filter(
    (method) =>
      method.source === slot.source &&
      (slot.lastFour === undefined || (method.source === 'credit_card' && method.last_four === slot.lastFour)),
  );
  if (matching[0] === undefined || matching.length > 1) {
    throw new ToolError(`The customer has ${matching.length} payment methods of this description.`);
  }
  return matching[0].id;
}

/** The address a clause gives. @throws ToolError when it gives none, or the profile is needed for it. */
export function addressOf(memory: Memory, index: number): Address {
  const slot: AddressSlot | undefined = clauseAt(memory, index).clause.slots.address;
  if (slot === undefined) throw new ToolError('This request gives no address.');
  return slot === 'profile' ? profile(memory).address : slot;
}
