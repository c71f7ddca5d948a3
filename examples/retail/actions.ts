import { defineTool, ToolError, z, type Tool } from 'millrace';
import { addressOf, authenticated, clauseAt, linesOf, orderIdOf, orderOf, paymentOf, productIdsOf, swapsOf } from './executor.ts';
import type { ClauseTool, GlobalTool, Memory } from './memory.ts';
import { shopTools } from './tools/index.ts';
import type { ShopTool } from './tools/tool.ts';

/** The planner's actions: tools of the shop with their arguments filled in from memory. */

const tool = defineTool<Memory>();

/** An action on one clause that calls a tool of the shop. */
function onClause<I, R>(shopTool: ShopTool<I, R>, fill: (memory: Memory, index: number) => I): Tool<Memory, I, R> {
  return tool({
    description: shopTool.description,
    input: shopTool.input,
    pointers: 1,
    arguments: (memory, index) => fill(memory, index ?? -1),
    run: (input, memory) => shopTool.run(input, memory.database),
  });
}

/** An action on the conversation as a whole that calls a tool of the shop. */
function onConversation<I, R>(shopTool: ShopTool<I, R>, fill: (memory: Memory) => I): Tool<Memory, I, R> {
  return tool({
    description: shopTool.description,
    input: shopTool.input,
    arguments: fill,
    run: (input, memory) => shopTool.run(input, memory.database),
  });
}

const clauseActions = {
  get_order: tool({
    description: 'Looks up the order that a request names; only the customer who placed it may ask for it.',
    input: shopTools.get_order_details.input,
    pointers: 1,
    arguments: (memory, index) => ({ order_id: orderIdOf(memory, index ?? -1) }),
    run(input, memory) {
      const order = shopTools.get_order_details.run(input, memory.database);
      if (order.user_id !== memory.userId) throw new ToolError(`Order ${input.order_id} was placed by somebody else.`);
      return order;
    },
  }),
  get_product: tool({
    description: 'Looks up the products of all items that a request names.',
    input: z.object({ product_ids: z.array(z.string()).min(1) }),
    pointers: 1,
    arguments: (memory, index) => ({ product_ids: productIdsOf(memory, index ?? -1) }),
    run: ({ product_ids }, memory) =>
      product_ids.map((product_id) => shopTools.get_product_details.run({ product_id }, memory.database)),
  }),
  cancel: onClause(shopTools.cancel_pending_order, (memory, index) => {
    const { order_id } = orderOf(memory, index);
    const { reason } = clauseAt(memory, index).clause.slots;
    if (reason === undefined) throw new ToolError('This request gives no reason to cancel.');
    return { order_id, reason };
  }),
  return: onClause(shopTools.return_delivered_order_items, (memory, index) => ({
    order_id: orderOf(memory, index).order_id,
    item_ids: linesOf(memory, index).map((line) => line.item_id),
    payment_method_id: paymentOf(memory, index),
  })),
  exchange: onClause(shopTools.exchange_delivered_order_items, (memory, index) => ({
    order_id: orderOf(memory, index).order_id,
    ...swapsOf(memory, index),
    payment_method_id: paymentOf(memory, index),
  })),
  modify_items: onClause(shopTools.modify_pending_order_items, (memory, index) => ({
    order_id: orderOf(memory, index).order_id,
    ...swapsOf(memory, index),
    payment_method_id: paymentOf(memory, index),
  })),
  modify_payment: onClause(shopTools.modify_pending_order_payment, (memory, index) => ({
    order_id: orderOf(memory, index).order_id,
    payment_method_id: paymentOf(memory, index),
  })),
  modify_address: onClause(shopTools.modify_pending_order_address, (memory, index) => ({
    order_id: orderOf(memory, index).order_id,
    ...addressOf(memory, index),
  })),
  modify_user_address: onClause(shopTools.modify_user_address, (memory, index) => ({
    user_id: authenticated(memory),
    ...addressOf(memory, index),
  })),
} satisfies Record<ClauseTool, object>;

const globalActions = {
  auth_email: onConversation(shopTools.find_user_id_by_email, ({ header }) => {
    if (header.email === undefined) throw new ToolError('The customer gave no e-mail address.');
    return { email: header.email };
  }),
  auth_name_zip: onConversation(shopTools.find_user_id_by_name_zip, ({ header }) => {
    const { firstName, lastName, zip } = header;
    if (firstName === undefined || lastName === undefined || zip === undefined) {
      throw new ToolError('The customer did not give name and zip code.');
    }
    return { first_name: firstName, last_name: lastName, zip };
  }),
  get_user: onConversation(shopTools.get_user_details, (memory) => ({ user_id: authenticated(memory) })),
  transfer: onConversation(shopTools.transfer_to_human_agents, () => ({ summary: 'The shop assistant could not help.' })),
  done: tool({ description: 'Ends the conversation.', input: z.object({}), arguments: () => ({}), run: () => 'done' }),
} satisfies Record<GlobalTool, object>;

/** All actions by name. */
export const actions = { ...globalActions, ...clauseActions };
