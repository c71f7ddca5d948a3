import { createHash } from 'node:crypto';
import type { Order, Product, User } from './records.ts';
import type { World } from './world.ts';

/** Records that differ from the world's, by `orders/<id>` or `users/<id>`: a digest of each one's canonical JSON. */
export type Changes = Record<string, string>;

/** One flow's view of the shop: reads come from the world, a record is copied when it is first written. */
export class Database {
  readonly world: World;
  #users: Map<string, User> | undefined;
  #orders: Map<string, Order> | undefined;

  constructor(world: World) {
    this.world = world;
  }

  user(id: string): Readonly<User> | undefined {
    return this.#users?.get(id) ?? own(this.world.users, id);
  }

  product(id: string): Readonly<Product> | undefined {
    return own(this.world.products, id);
  }

  order(id: string): Readonly<Order> | undefined {
    return this.#orders?.get(id) ?? own(this.world.orders, id);
  }

  /** The user as a record that may be written to. The user must exist. */
  writableUser(id: string): User {
    return writable((this.#users ??= new Map<string, User>()), this.world.users, id);
  }

  /** The order as a record that may be written to. The order must exist. */
  writableOrder(id: string): Order {
    return writable((this.#orders ??= new Map<string, Order>()), this.world.orders, id);
  }

  /** What differs from the world now. Two databases over one world are equal when their changes are. */
  changes(): Changes {
    const changes: Changes = {};
    for (const [kind, written, base] of [
      ['orders', this.#orders, this.world.orders],
      ['users', this.#users, this.world.users],
    ] as const) {
      for (const id of [...(written?.keys() ?? [])].sort()) {
        const now = canonicalJson(written!.get(id));
        if (now !== canonicalBase(base[id]!))
          changes[`${kind}/${id}`] = createHash('sha256').update(now).digest('hex').slice(0, 16);
      }
    }
    return changes;
  }
}

/** Whether two sets of changes describe the same database. */
export function sameChanges(a: Changes, b: Changes): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

/** JSON with the keys of every object in order, so that equal values are equal strings. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const child of value) text += `${text === '' ? '' : ','}${canonicalJson(child)}`;
    return `[${text}]`;
  }
  const record = value as Record<string, unknown>;
  for (const key of Object.keys(record).sort()) {
    const child = record[key];
    if (child !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(child)}`;
  }
  return `{${text}}`;
}

/** Of a record of the world, which is never written to: all flows compare with the same ones. */
function canonicalBase(record: Order | User): string {
  let text = canonicalOf.get(record);
  if (text === undefined) canonicalOf.set(record, (text = canonicalJson(record)));
  return text;
}

const canonicalOf = new WeakMap<Order | User, string>();

// Ids come from customers: `constructor` must not find Object's.
function own<V>(records: Readonly<Record<string, V>>, id: string): V | undefined {
  return Object.hasOwn(records, id) ? records[id] : undefined;
}

function writable<V>(written: Map<string, V>, base: Readonly<Record<string, V>>, id: string): V {
  let record = written.get(id);
  if (record === undefined) {
    const original = own(base, id);
    if (original === undefined) throw new Error(`no record ${id} to write to`);
    written.set(id, (record = copy(original)));
  }
  return record;
}

// Several times faster than structuredClone on small records of plain JSON.
function copy<V>(value: V): V {
  if (Array.isArray(value)) return value.map(copy) as V;
  if (typeof value !== 'object' || value === null) return value;
  const record: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) record[key] = copy(child);
  return record as V;
}
