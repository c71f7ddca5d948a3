import type { Random } from 'millrace';
import type { CancelReason } from '../tools/pending-orders.ts';
import { CANCEL_REASONS } from '../tools/pending-orders.ts';
import type { AddressSlot, ItemSlot, PaymentSlot } from '../analyzer/slots.ts';
import type { Order, OrderItem, PaymentMethod, RetailTask, User } from '../world/records.ts';
import type { World } from '../world/world.ts';
import { chance, pick, shuffled, weighted } from './draw.ts';
import { makeAddress } from './people.ts';

/** Kinds of requests. `foreign` and `late` cannot be fulfilled: an order of somebody else, one that is on its way. */
export type RequestKind =
  | 'cancel'
  | 'return'
  | 'exchange'
  | 'modify_items'
  | 'modify_payment'
  | 'modify_address'
  | 'modify_user_address'
  | 'foreign'
  | 'late';

/** What a customer wants, before it is put into words, and the gold call for it. */
export interface Request {
  kind: RequestKind;
  orderId?: string;
  items: ItemSlot[];
  payment?: PaymentSlot;
  address?: AddressSlot;
  reason?: CancelReason;
  /** Undefined when it cannot be fulfilled. */
  action?: RetailTask['actions'][number];
}

/** What requests are made from. */
export interface Scene {
  random: Random;
  world: World;
  userId: string;
  user: Readonly<User>;
}

/** A request to cancel. */
export function makeCancel({ random }: Scene, { order_id }: Readonly<Order>, kind: RequestKind = 'cancel'): Request {
  const reason = pick(random, CANCEL_REASONS);
  const request: Request = { kind, orderId: order_id, items: [], reason };
  if (kind === 'cancel') request.action = { name: 'cancel_pending_order', arguments: { order_id, reason } };
  return request;
}

/** A request to return some of the items. */
export function makeReturn(scene: Scene, order: Readonly<Order>): Request | undefined {
  const original = order.payment_history[0]!.payment_method_id;
  const allowed = Object.values(scene.user.payment_methods).filter(({ id, source }) => id === original || source === 'gift_card');
  const payment = choosePayment(scene, order, allowed);
  if (payment === undefined) return undefined;
  const lines = chooseLines(scene.random, order);
  return {
    kind: 'return',
    orderId: order.order_id,
    items: lines.map((line) => describe(scene.random, order, line)),
    payment: payment.slot,
    action: {
      name: 'return_delivered_order_items',
      arguments: { order_id: order.order_id, item_ids: lines.map((line) => line.item_id), payment_method_id: payment.id },
    },
  };
}

/** A request for other variants: an exchange when the order has arrived, a modification while it is pending. */
export function makeSwap(scene: Scene, order: Readonly<Order>): Request | undefined {
  const { random, world } = scene;
  const items: ItemSlot[] = [];
  const item_ids: string[] = [];
  const new_item_ids: string[] = [];
  let difference = 0;
  for (const line of chooseLines(random, order)) {
    const others = Object.values(world.products[line.product_id]!.variants).filter(
      (v) => v.available && v.item_id !== line.item_id,
    );
    if (others.length === 0) continue;
    const other = pick(random, others);
    const wanted = Object.entries(other.options).filter(([name, value]) => line.options[name] !== value || chance(random, 0.1));
    items.push({ ...describe(random, order, line), to: Object.fromEntries(wanted) });
    item_ids.push(line.item_id);
    new_item_ids.push(other.item_id);
    difference += other.price - line.price;
  }
  const payment = choosePayment(scene, order, covering(scene.user, difference));
  if (items.length === 0 || payment === undefined) return undefined;
  const delivered = order.status === 'delivered';
  return {
    kind: delivered ? 'exchange' : 'modify_items',
    orderId: order.order_id,
    items,
    payment: payment.slot,
    action: {
      name: delivered ? 'exchange_delivered_order_items' : 'modify_pending_order_items',
      arguments: { order_id: order.order_id, item_ids, new_item_ids, payment_method_id: payment.id },
    },
  };
}

/** A request to pay with something else. */
export function makePaymentChange(scene: Scene, order: Readonly<Order>): Request | undefined {
  const { amount, payment_method_id } = order.payment_history[0]!;
  const others = covering(scene.user, amount).filter(({ id }) => id !== payment_method_id);
  const payment = choosePayment(scene, order, others);
  if (payment === undefined) return undefined;
  return {
    kind: 'modify_payment',
    orderId: order.order_id,
    items: [],
    payment: payment.slot,
    action: {
      name: 'modify_pending_order_payment',
      arguments: { order_id: order.order_id, payment_method_id: payment.id },
    },
  };
}

/** A request to send an order elsewhere. */
export function makeAddressChange({ random, user }: Scene, order: Readonly<Order>): Request {
  const profile = chance(random, 0.25) && order.address.address1 !== user.address.address1;
  const address = profile ? user.address : makeAddress(random);
  return {
    kind: 'modify_address',
    orderId: order.order_id,
    items: [],
    address: profile ? 'profile' : address,
    action: { name: 'modify_pending_order_address', arguments: { order_id: order.order_id, ...address } },
  };
}

/** A request to change the address in the profile. */
export function makeUserAddressChange({ random, userId }: Scene): Request {
  const address = makeAddress(random);
  return {
    kind: 'modify_user_address',
    items: [],
    address,
    action: { name: 'modify_user_address', arguments: { user_id: userId, ...address } },
  };
}

function covering(user: Readonly<User>, amount: number): PaymentMethod[] {
  return Object.values(user.payment_methods).filter((method) => method.source !== 'gift_card' || method.balance >= amount);
}

/** A payment method and how the customer names it: mostly by id, else so that the profile or the order is needed. */
function choosePayment(
  { random, user }: Scene,
  order: Readonly<Order>,
  allowed: readonly PaymentMethod[],
): { id: string; slot: PaymentSlot } | undefined {
  if (allowed.length === 0) return undefined;
  const method = pick(random, allowed);
  const { id, source } = method;
  const same = Object.values(user.payment_methods).filter((other) => other.source === source);
  const form = weighted(random, [60, 25, 15]);
  if (form === 1) {
    if (same.length === 1) return { id, slot: { by: 'source', source } };
    const [first, second] = same;
    if (method.source === 'credit_card' && first?.source === second?.source) {
      const lastFour = method.last_four;
      const unique = same.filter((other) => other.source === 'credit_card' && other.last_four === lastFour).length === 1;
      if (unique) return { id, slot: { by: 'source', source, lastFour } };
    }
  }
  if (form === 2 && order.payment_history[0]?.payment_method_id === id) return { id, slot: { by: 'original' } };
  return { id, slot: { by: 'id', id } };
}

function chooseLines(random: Random, order: Readonly<Order>): OrderItem[] {
  const count = 1 + Math.min(weighted(random, [50, 32, 18]), order.items.length - 1);
  return shuffled(random, order.items).slice(0, count);
}

/** Names a line of an order: with its options, or with fewer or none when that still means only this line. */
function describe(random: Random, order: Readonly<Order>, line: OrderItem): ItemSlot {
  const namesakes = order.items.filter((other) => other.name === line.name);
  if (namesakes.length === 1 && chance(random, 0.35)) return { name: line.name };
  const options = Object.entries(line.options);
  const fewer = Object.fromEntries(shuffled(random, options).slice(0, Math.max(1, options.length - 1)));
  const clear = namesakes.filter((other) => Object.entries(fewer).every(([name, value]) => other.options[name] === value));
  return { name: line.name, from: clear.length === 1 && chance(random, 0.4) ? fewer : { ...line.options } };
}
