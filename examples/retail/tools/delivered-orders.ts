import { ToolError, z } from 'millrace';
import type { Order } from '../world/records.ts';
import { pairSwaps, requireItems } from './items.ts';
import { findOrder, findUser, itemIds, orderId, paymentMethodId, requirePayment, requireStatus, shopTool } from './tool.ts';

/** What can be done with an order that has arrived; each order allows one return or one exchange. */

export const return_delivered_order_items = shopTool({
  description: 'Registers items of a delivered order for return; the money goes to the original payment method or a gift card.',
  input: z.object({ order_id: orderId, item_ids: itemIds, payment_method_id: paymentMethodId }),
  run({ order_id, item_ids, payment_method_id }, database): Readonly<Order> {
    const found = findOrder(database, order_id);
    requireStatus(found, 'delivered');
    const user = findUser(database, found.user_id);
    requirePayment(user, payment_method_id, 0);
    const original = found.payment_history[0]?.payment_method_id;
    if (payment_method_id !== original && user.payment_methods[payment_method_id]?.source !== 'gift_card') {
      throw new ToolError(`A refund goes to ${original ?? 'the original payment method'} or to a gift card.`);
    }
    requireItems(found, item_ids);
    const order = database.writableOrder(order_id);
    order.status = 'return requested';
    order.return_items = [...item_ids].sort();
    order.return_payment_method_id = payment_method_id;
    return order;
  },
});

export const exchange_delivered_order_items = shopTool({
  description: 'Registers items of a delivered order for exchange against other variants of the same products.',
  input: z.object({
    order_id: orderId,
    item_ids: itemIds,
    new_item_ids: itemIds,
    payment_method_id: paymentMethodId,
  }),
  run({ order_id, item_ids, new_item_ids, payment_method_id }, database): Readonly<Order> {
    const found = findOrder(database, order_id);
    requireStatus(found, 'delivered');
    const { difference } = pairSwaps(database, found, item_ids, new_item_ids);
    requirePayment(findUser(database, found.user_id), payment_method_id, difference);
    const order = database.writableOrder(order_id);
    order.status = 'exchange requested';
    order.exchange_items = [...item_ids].sort();
    order.exchange_new_items = [...new_item_ids].sort();
    order.exchange_payment_method_id = payment_method_id;
    order.exchange_price_difference = difference;
    return order;
  },
});
