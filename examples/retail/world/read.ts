import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, z } from 'millrace';
import { isShopTool } from '../tools/index.ts';
import { lineOf } from './locate.ts';
import { orderSchema, productSchema, retailTaskSchema, userSchema, type RetailTask } from './records.ts';
import { World } from './world.ts';

/** A JSON file that was read and checked, with what is needed to point into it. */
interface Checked<V> {
  value: V;
  /** Throws `invalid_argument` naming the file, line, record and field. */
  fail(path: readonly PropertyKey[], problem: string): never;
  line(path: readonly PropertyKey[]): number;
}

/**
 * Reads `users.json`, `products.json`, `orders.json` and `tasks.json` from a folder, checks every record and that what they
 * refer to exists.
 * @throws MillraceError `not_found` when a file is missing, `invalid_argument` (file, line, record, field) when it is wrong.
 */
export async function readWorld(folder: string): Promise<{ world: World; tasks: RetailTask[]; origins: string[] }> {
  const users = await readChecked(folder, 'users.json', z.record(z.string(), userSchema));
  const products = await readChecked(folder, 'products.json', z.record(z.string(), productSchema));
  const orders = await readChecked(folder, 'orders.json', z.record(z.string(), orderSchema));
  const tasks = await readChecked(folder, 'tasks.json', z.array(retailTaskSchema));

  for (const [id, product] of Object.entries(products.value)) {
    if (product.product_id !== id) products.fail([id, 'product_id'], `is ${product.product_id}, but the record's key is ${id}`);
  }
  for (const [id, user] of Object.entries(users.value)) {
    user.orders.forEach((orderId, i) => {
      if (!Object.hasOwn(orders.value, orderId)) users.fail([id, 'orders', i], `names order ${orderId}, which orders.json lacks`);
    });
    for (const [methodId, method] of Object.entries(user.payment_methods)) {
      if (method.id !== methodId)
        users.fail([id, 'payment_methods', methodId, 'id'], `is ${method.id}, but its key is ${methodId}`);
    }
  }
  for (const [id, order] of Object.entries(orders.value)) {
    if (order.order_id !== id) orders.fail([id, 'order_id'], `is ${order.order_id}, but the record's key is ${id}`);
    if (!Object.hasOwn(users.value, order.user_id)) {
      orders.fail([id, 'user_id'], `names user ${order.user_id}, whom users.json lacks`);
    }
  }
  const seen = new Map<string, number>();
  tasks.value.forEach((task, i) => {
    const first = seen.get(task.id);
    if (first !== undefined) tasks.fail([i, 'id'], `${task.id} was used before, by record ${first}; ids must be unique`);
    seen.set(task.id, i);
    if (!Object.hasOwn(users.value, task.user_id))
      tasks.fail([i, 'user_id'], `names user ${task.user_id}, whom users.json lacks`);
    task.actions.forEach((action, j) => {
      if (!isShopTool(action.name)) tasks.fail([i, 'actions', j, 'name'], `is ${action.name}, which is not a tool of the shop`);
    });
  });
  return {
    world: new World({ users: users.value, products: products.value, orders: orders.value }),
    tasks: tasks.value,
    origins: tasks.value.map((_, i) => `${join(folder, 'tasks.json')}:${tasks.line([i])}`),
  };
}

async function readChecked<V>(folder: string, name: string, schema: z.ZodType<V>): Promise<Checked<V>> {
  const file = join(folder, name);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new MillraceError(
      'not_found',
      `Cannot read ${file}. A retail data folder holds users.json, products.json, orders.json and tasks.json.`,
      { cause, field: name },
    );
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const line = text.slice(0, placeOfError(text, String(cause))).split('\n').length;
    throw new MillraceError('invalid_argument', `${file}:${line}: not JSON: ${(cause as Error).message}`, { cause, field: name });
  }
  // Lines of the tasks are asked for one by one; from the start of the file each time that would be quadratic.
  const lines = Array.isArray(parsed) ? linesOfElements(text) : undefined;
  function line(path: readonly PropertyKey[]): number {
    return path.length === 1 && typeof path[0] === 'number' ? (lines?.[path[0]] ?? 1) : lineOf(text, path);
  }
  function fail(path: readonly PropertyKey[], problem: string): never {
    const [record, ...rest] = path;
    const field = rest.map(String).join('.');
    const named = (parsed as { id?: unknown }[] | undefined)?.[record as number]?.id;
    const title =
      typeof record === 'number'
        ? `record ${record}${typeof named === 'string' ? ` (${named})` : ''}`
        : String(record ?? 'the file');
    throw new MillraceError(
      'invalid_argument',
      `${file}:${line(path)}: ${title}${field === '' ? '' : `, field ${field}`}: ${problem}`,
      {
        field: [name, ...path.map(String)].join('.'),
      },
    );
  }
  const result = schema.safeParse(parsed);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    fail(issue.path, issue.message);
  }
  return { value: result.data, fail, line };
}

/** JSON.parse says where in its message: as a position, as a piece of the text around it, or not at all at the end. */
function placeOfError(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  const piece = /, (?:\.\.\.)?"(.*?)"(?:\.\.\.)? is not valid JSON/s.exec(message)?.[1] ?? '';
  const start = piece === '' ? -1 : text.indexOf(piece);
  // The piece starts at most ten characters before the error.
  return start < 0 ? text.trimEnd().length : start + Math.min(10, piece.length - 1);
}

/** Line of each element of the array that a JSON text holds. */
function linesOfElements(text: string): number[] {
  const lines: number[] = [];
  let line = 1;
  let depth = 0;
  let expecting = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i]!;
    if (char === '\n') line += 1;
    if (/\s/.test(char)) continue;
    if (depth === 1 && expecting && char !== ']') {
      lines.push(line);
      expecting = false;
    }
    if (char === '"') {
      for (i += 1; text[i] !== '"'; i += 1) if (text[i] === '\\') i += 1;
    } else if (char === '[' || char === '{') {
      depth += 1;
      if (depth === 1) expecting = true;
    } else if (char === ']' || char === '}') depth -= 1;
    else if (char === ',' && depth === 1) expecting = true;
  }
  return lines;
}
