import type { OpenAction } from 'millrace';
import { analyze, type Analysis, type Clause } from './analyzer/analyze.ts';
import { Database } from './world/database.ts';
import type { RetailTask } from './world/records.ts';
import type { World } from './world/world.ts';

/** What came of the work on one clause so far. */
export interface ClauseState {
  readonly clause: Clause;
  /** A tool that writes succeeded for it. */
  written: boolean;
  /** Calls for it that failed. */
  errors: number;
  /** Whether the last call for it failed. */
  lastFailed: boolean;
}

/** A flow's memory: the message taken apart, the customer's session, the records looked up, a database of its own. */
export interface Memory {
  /** What potential is measured by; the planner sees nothing of it. */
  readonly task: RetailTask;
  readonly database: Database;
  readonly header: Analysis['header'];
  readonly clauses: readonly ClauseState[];
  /** The customer, once authenticated. */
  userId: string | undefined;
  /** Whether the profile was looked up. */
  userLoaded: boolean;
  /** Orders looked up. */
  readonly orders: Set<string>;
  /** Products looked up. */
  readonly products: Set<string>;
  /** Ways of authentication that failed. */
  readonly authFailed: Set<string>;
  /** Whether the last call failed. */
  lastFailed: boolean;
  /** The same for every step: all actions are open always, learning when they are of use is the policy's task. */
  readonly actions: OpenAction[];
}

/** Tools that point to a clause. */
export const CLAUSE_TOOLS = [
  'get_order',
  'get_product',
  'cancel',
  'return',
  'exchange',
  'modify_items',
  'modify_payment',
  'modify_address',
  'modify_user_address',
] as const;
/** A tool that points to a clause. */
export type ClauseTool = (typeof CLAUSE_TOOLS)[number];

/** Tools that point to nothing. */
export const GLOBAL_TOOLS = ['auth_email', 'auth_name_zip', 'get_user', 'transfer', 'done'] as const;
/** A tool that points to nothing. */
export type GlobalTool = (typeof GLOBAL_TOOLS)[number];

const actionsByClauses = new Map<number, OpenAction[]>();

function actionsFor(clauses: number): OpenAction[] {
  let actions = actionsByClauses.get(clauses);
  if (actions === undefined) {
    actions = GLOBAL_TOOLS.map((tool): OpenAction => ({ tool }));
    for (let i = 0; i < clauses; i += 1) for (const tool of CLAUSE_TOOLS) actions.push({ tool, items: [i] });
    actionsByClauses.set(clauses, actions);
  }
  return actions;
}

/** Memory at the start of a flow: nobody is authenticated, nothing is looked up. */
export function remember(task: RetailTask, world: World): Memory {
  const { header, clauses } = analyze(task.instruction, world);
  return {
    task,
    database: new Database(world),
    header,
    clauses: clauses.map((clause) => ({ clause, written: false, errors: 0, lastFailed: false })),
    userId: undefined,
    userLoaded: false,
    orders: new Set(),
    products: new Set(),
    authFailed: new Set(),
    lastFailed: false,
    actions: actionsFor(clauses.length),
  };
}

/** Whether another clause about the same order is still to be worked on: not written, and nothing failed for it. */
export function hasOpenSibling(memory: Memory, index: number): boolean {
  const orderId = memory.clauses[index]?.clause.slots.orderId;
  return (
    orderId !== undefined &&
    memory.clauses.some(
      (other, i) => i !== index && other.clause.slots.orderId === orderId && !other.written && other.errors === 0,
    )
  );
}

/** Whether the products of all items that a clause names were looked up. False when it names none that its order holds. */
export function hasProducts(memory: Memory, index: number): boolean {
  const slots = memory.clauses[index]?.clause.slots;
  const order = slots?.orderId === undefined ? undefined : memory.database.order(slots.orderId);
  if (slots === undefined || order === undefined) return false;
  let found = false;
  for (const line of order.items) {
    if (!slots.items.some((item) => item.name === line.name)) continue;
    if (!memory.products.has(line.product_id)) return false;
    found = true;
  }
  return found;
}
