import { ToolError, z } from 'millrace';
import type { Database } from '../world/database.ts';
import * as customers from './customers.ts';
import * as deliveredOrders from './delivered-orders.ts';
import {
  calculate,
  get_order_details,
  get_product_details,
  list_all_product_types,
  think,
  transfer_to_human_agents,
} from './reading.ts';
import {
  cancel_pending_order,
  modify_pending_order_address,
  modify_pending_order_items,
  modify_pending_order_payment,
} from './pending-orders.ts';
import type { ShopTool } from './tool.ts';

/** The sixteen tools of the shop by name. */
export const shopTools = {
  ...customers,
  ...deliveredOrders,
  calculate,
  cancel_pending_order,
  get_order_details,
  get_product_details,
  list_all_product_types,
  modify_pending_order_address,
  modify_pending_order_items,
  modify_pending_order_payment,
  think,
  transfer_to_human_agents,
} as const;

/** Name of a tool of the shop. */
export type ShopToolName = keyof typeof shopTools;

/** Whether the shop has a tool of this name. */
export function isShopTool(name: string): name is ShopToolName {
  return Object.hasOwn(shopTools, name);
}

/** Checks a call's arguments and runs it. @throws ToolError when the tool is unknown, the arguments do not fit or it fails. */
export function callTool(name: string, input: unknown, database: Database): unknown {
  if (!isShopTool(name)) throw new ToolError(`There is no tool ${name}.`);
  const tool = shopTools[name] as unknown as ShopTool;
  const parsed = tool.input.safeParse(input);
  if (!parsed.success) throw new ToolError(`${name}: ${z.prettifyError(parsed.error)}`);
  return tool.run(parsed.data, database);
}
