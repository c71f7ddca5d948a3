import { ToolError, z } from 'millrace';
import { addressSchema, type Order } from '../world/records.ts';
import { pairSwaps } from './items.ts';
import {
  findOrder,
  findUser,
  itemIds,
  orderId,
  paymentMethodId,
  requirePayment,
  requireStatus,
  settle,
  shopTool,
} from './tool.ts';

/** What can be done with an order that has not been processed yet. */

/** Why an order may be cancelled. */
export const CANCEL_REASONS = ['no longer needed', 'ordered by mistake'] as const;
/** Why an order may be cancelled. */
export type CancelReason = (typeof CANCEL_REASONS)[number];

export const cancel_pending_order = shopTool({
  description: 'Calls off a pending order and pays everything back the way it was paid; gift cards at once.',
  input: z.object({ order_id: orderId, reason: z.enum(CANCEL_REASONS) }),
  run({ order_id, reason }, database): Readonly<Order> {
    const found = findOrder(database, order_id);
    requireStatus(found, 'pending');
    const order = database.writableOrder(order_id);
    for (const { amount, payment_method_id } of found.payment_history.slice()) {
      order.payment_history.push({ transaction_type: 'refund', amount, payment_method_id });
      settle(database, order.user_id, payment_method_id, amount);
    }
    order.status = 'cancelled';
    order.cancel_reason = reason;
    return order;
  },
});

export const modify_pending_order_address = shopTool({
  description: 'Sends a pending order to another address.',
  input: z.object({ order_id: orderId, ...addressSchema.shape }),
  run({ order_id, ...address }, database): Readonly<Order> {
    requireStatus(findOrder(database, order_id), 'pending');
    const order = database.writableOrder(order_id);
    order.address = address;
    return order;
  },
});

export const modify_pending_order_payment = shopTool({
  description: 'Charges a pending order to another payment method and pays the first one back; a gift card must cover the total.',
  input: z.object({ order_id: orderId, payment_method_id: paymentMethodId }),
  run({ order_id, payment_method_id }, database): Readonly<Order> {
    const found = findOrder(database, order_id);
    requireStatus(found, 'pending');
    const [payment, ...later] = found.payment_history;
    if (payment?.transaction_type !== 'payment' || later.length > 0) {
      throw new ToolError(`Order ${order_id} was not paid in one payment, so its payment cannot be changed.`);
    }
    if (payment.payment_method_id === payment_method_id) {
      throw new ToolError(`Order ${order_id} is already paid with ${payment_method_id}; choose another method.`);
    }
    const { amount } = payment;
    requirePayment(findUser(database, found.user_id), payment_method_id, amount);
    const order = database.writableOrder(order_id);
    order.payment_history.push(
      { transaction_type: 'payment', amount, payment_method_id },
      { transaction_type: 'refund', amount, payment_method_id: payment.payment_method_id },
    );
    settle(database, order.user_id, payment_method_id, -amount);
    settle(database, order.user_id, payment.payment_method_id, amount);
    return order;
  },
});

export const modify_pending_order_items = shopTool({
  description: 'Replaces items of a pending order by other variants of the same products, once: the order is locked afterwards.',
  input: z.object({
    order_id: orderId,
    item_ids: itemIds,
    new_item_ids: itemIds,
    payment_method_id: paymentMethodId.describe('pays the price difference or gets it back'),
  }),
  run({ order_id, item_ids, new_item_ids, payment_method_id }, database): Readonly<Order> {
    const found = findOrder(database, order_id);
    requireStatus(found, 'pending');
    const { swaps, difference } = pairSwaps(database, found, item_ids, new_item_ids);
    requirePayment(findUser(database, found.user_id), payment_method_id, difference);
    const order = database.writableOrder(order_id);
    order.payment_history.push({
      transaction_type: difference > 0 ? 'payment' : 'refund',
      amount: Math.abs(difference),
      payment_method_id,
    });
    settle(database, order.user_id, payment_method_id, -difference);
    const replaced = new Set<unknown>();
    for (const swap of swaps) {
      const line = order.items.find((item) => item.item_id === swap.old.item_id && !replaced.has(item));
      if (line === undefined) continue;
      replaced.add(line);
      line.item_id = swap.new.item_id;
      line.price = swap.new.price;
      line.options = { ...swap.new.options };
    }
    order.status = 'pending (item modified)';
    return order;
  },
});
