import { z } from 'millrace';

/** The records of the shop, in the JSON schema of tau-bench retail. Unknown fields are dropped. */

/** Where something is sent. */
export const addressSchema = z.object({
  address1: z.string(),
  address2: z.string(),
  city: z.string(),
  country: z.string(),
  state: z.string(),
  zip: z.string(),
});
/** Where something is sent. */
export type Address = z.infer<typeof addressSchema>;

/** A way to pay. Balances are in dollars. */
export const paymentMethodSchema = z.discriminatedUnion('source', [
  z.object({ source: z.literal('credit_card'), id: z.string(), brand: z.string(), last_four: z.string() }),
  z.object({ source: z.literal('paypal'), id: z.string() }),
  z.object({ source: z.literal('gift_card'), id: z.string(), balance: z.number().min(0) }),
]);
/** A way to pay. */
export type PaymentMethod = z.infer<typeof paymentMethodSchema>;

/** A customer. */
export const userSchema = z.object({
  name: z.object({ first_name: z.string().min(1), last_name: z.string().min(1) }),
  address: addressSchema,
  email: z.string().min(1),
  payment_methods: z.record(z.string(), paymentMethodSchema),
  orders: z.array(z.string()),
});
/** A customer. */
export type User = z.infer<typeof userSchema>;

/** A variant of a product: what is bought. `options` maps option names to values. */
export const variantSchema = z.object({
  item_id: z.string().min(1),
  options: z.record(z.string(), z.string()),
  available: z.boolean(),
  price: z.number().min(0),
});
/** A variant of a product. */
export type Variant = z.infer<typeof variantSchema>;

/** A product with its variants by item id. */
export const productSchema = z.object({
  name: z.string().min(1),
  product_id: z.string().min(1),
  variants: z.record(z.string(), variantSchema),
});
/** A product with its variants by item id. */
export type Product = z.infer<typeof productSchema>;

/** What can become of an order. An order whose items were modified is locked: it is no longer plain `pending`. */
const ORDER_STATUSES = [
  'pending',
  'processed',
  'delivered',
  'cancelled',
  'pending (item modified)',
  'return requested',
  'exchange requested',
] as const;

const orderItemSchema = z.object({
  name: z.string(),
  product_id: z.string(),
  item_id: z.string(),
  price: z.number().min(0),
  options: z.record(z.string(), z.string()),
});
/** A line of an order. */
export type OrderItem = z.infer<typeof orderItemSchema>;

/** An order. The fields after `payment_history` are written by the tools. */
export const orderSchema = z.object({
  order_id: z.string().min(1),
  user_id: z.string().min(1),
  address: addressSchema,
  items: z.array(orderItemSchema),
  fulfillments: z.array(z.object({ tracking_id: z.array(z.string()), item_ids: z.array(z.string()) })),
  status: z.enum(ORDER_STATUSES),
  payment_history: z.array(
    z.object({ transaction_type: z.enum(['payment', 'refund']), amount: z.number(), payment_method_id: z.string() }),
  ),
  cancel_reason: z.string().optional(),
  return_items: z.array(z.string()).optional(),
  return_payment_method_id: z.string().optional(),
  exchange_items: z.array(z.string()).optional(),
  exchange_new_items: z.array(z.string()).optional(),
  exchange_payment_method_id: z.string().optional(),
  exchange_price_difference: z.number().optional(),
});
/** An order. */
export type Order = z.infer<typeof orderSchema>;

/** A customer's message and the tool calls that fulfil it. */
export const retailTaskSchema = z.object({
  id: z.string().min(1),
  user_id: z.string().min(1),
  /** What the customer writes. */
  instruction: z.string().min(1),
  /** The gold: replayed on a fresh database, it gives the database the flow must leave behind. Failing calls are skipped. */
  actions: z.array(z.object({ name: z.string().min(1), arguments: z.record(z.string(), z.json()) })),
});
/** A customer's message and the tool calls that fulfil it. */
export type RetailTask = z.infer<typeof retailTaskSchema>;
