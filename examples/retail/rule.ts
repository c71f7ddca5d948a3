import { hasOpenSibling, hasProducts, type ClauseState, type ClauseTool, type GlobalTool, type Memory } from './memory.ts';
import type { Order } from './world/records.ts';

/** What the rule planner wants to do next. */
export interface Decision {
  tool: ClauseTool | GlobalTool;
  /** The clause it is about. */
  clause?: number;
}

/**
 * The hand-written planner: authenticate, look up what is needed, then one write for each request. A request whose write
 * fails is given up. Modifying items locks the order, so it comes after everything else about that order.
 */
export function decide(memory: Memory): Decision {
  if (memory.userId === undefined) {
    const { email, zip } = memory.header;
    if (email !== undefined && !memory.authFailed.has('auth_email')) return { tool: 'auth_email' };
    if (zip !== undefined && !memory.authFailed.has('auth_name_zip')) return { tool: 'auth_name_zip' };
    return { tool: 'transfer' };
  }
  if (!memory.userLoaded && memory.clauses.some(needsProfile)) return { tool: 'get_user' };
  for (const [index, state] of memory.clauses.entries()) {
    if (state.written || state.errors > 0) continue;
    const { orderId } = state.clause.slots;
    if (orderId === undefined) return { tool: 'modify_user_address', clause: index };
    const order = memory.orders.has(orderId) ? memory.database.order(orderId) : undefined;
    if (order === undefined) return { tool: 'get_order', clause: index };
    const tool = writeFor(state, order);
    if (tool === 'modify_items' && hasOpenSibling(memory, index)) continue;
    if ((tool === 'modify_items' || tool === 'exchange') && !hasProducts(memory, index))
      return { tool: 'get_product', clause: index };
    return { tool, clause: index };
  }
  return { tool: 'done' };
}

function needsProfile({ clause: { slots } }: ClauseState): boolean {
  return slots.payment?.by === 'source' || slots.address === 'profile';
}

/** The write a clause asks for, by what it says and what became of the order. */
function writeFor({ clause: { slots } }: ClauseState, order: Readonly<Order>): ClauseTool {
  if (slots.items.some((item) => item.to !== undefined)) return order.status === 'delivered' ? 'exchange' : 'modify_items';
  if (slots.items.length > 0) return 'return';
  if (slots.address !== undefined) return 'modify_address';
  return slots.payment === undefined ? 'cancel' : 'modify_payment';
}
