import { ToolError, z } from 'millrace';
import type { Database } from '../world/database.ts';
import type { Order, User } from '../world/records.ts';

/** A tool of the shop. Tools check everything before they write, so that a failing call changes nothing. */
export interface ShopTool<I = unknown, R = unknown> {
  /** One sentence for people and for language-model planners. */
  description: string;
  input: z.ZodType<I>;
  /** Throws ToolError when the call is wrong. */
  run(input: I, database: Database): R;
}

/** Types a tool from its input schema. */
export function shopTool<I, R>(tool: ShopTool<I, R>): ShopTool<I, R> {
  return tool;
}

/** `#W` and digits. */
export const orderId = z.string().min(1).describe('id of the order, with its leading #');
export const itemIds = z.array(z.string()).min(1).describe('ids of items, one entry for each piece');
export const paymentMethodId = z.string().min(1).describe("id of one of the customer's payment methods");

/** @throws ToolError when there is no such order. */
export function findOrder(database: Database, id: string): Readonly<Order> {
  const order = database.order(id);
  if (order === undefined) throw new ToolError(`There is no order ${id}.`);
  return order;
}

/** @throws ToolError when there is no such user. */
export function findUser(database: Database, id: string): Readonly<User> {
  const user = database.user(id);
  if (user === undefined) throw new ToolError(`There is no user ${id}.`);
  return user;
}

/** @throws ToolError unless the order has exactly this status. */
export function requireStatus(order: Readonly<Order>, status: Order['status']): void {
  if (order.status !== status) throw new ToolError(`Order ${order.order_id} is ${order.status}; it must be ${status} for this.`);
}

/** Dollars in whole cents. */
export function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

/** Adds to a gift card's balance (negative: takes away); other methods are settled outside the shop. */
export function settle(database: Database, userId: string, methodId: string, amount: number): void {
  if (database.user(userId)?.payment_methods[methodId]?.source !== 'gift_card') return;
  const card = database.writableUser(userId).payment_methods[methodId];
  if (card?.source === 'gift_card') card.balance = cents(card.balance + amount);
}

/** @throws ToolError when the method is not the user's, or is a gift card that cannot cover the amount. */
export function requirePayment(user: Readonly<User>, methodId: string, amount: number): void {
  const method = Object.hasOwn(user.payment_methods, methodId) ? user.payment_methods[methodId] : undefined;
  if (method === undefined) throw new ToolError(`The customer has no payment method ${methodId}.`);
  if (method.source === 'gift_card' && method.balance < amount) {
    throw new ToolError(`Gift card ${methodId} holds ${method.balance}, which does not cover ${amount}.`);
  }
}
