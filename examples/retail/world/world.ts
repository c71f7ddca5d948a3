import type { Order, Product, User } from './records.ts';

/** The three collections of the shop by id. Never written to: flows work on a {@link Database} over it. */
export interface Records {
  readonly users: Readonly<Record<string, User>>;
  readonly products: Readonly<Record<string, Product>>;
  readonly orders: Readonly<Record<string, Order>>;
}

/** The shop before anything happens, with the indexes the tools need. Shared by all flows of a process. */
export class World implements Records {
  readonly users: Records['users'];
  readonly products: Records['products'];
  readonly orders: Records['orders'];
  /** Product names, longest first, so that a longer name wins over one it contains. */
  readonly productNames: readonly string[];
  readonly #byEmail = new Map<string, string>();
  readonly #byNameAndZip = new Map<string, string>();
  readonly #memo = new Map<string, Map<string, unknown>>();

  constructor(records: Records) {
    this.users = records.users;
    this.products = records.products;
    this.orders = records.orders;
    this.productNames = Object.values(records.products)
      .map((product) => product.name)
      .sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
    for (const [id, user] of Object.entries(records.users)) {
      this.#byEmail.set(user.email.toLowerCase(), id);
      this.#byNameAndZip.set(nameAndZip(user.name.first_name, user.name.last_name, user.address.zip), id);
    }
  }

  /** User id, ignoring case; undefined when nobody has this e-mail. */
  userByEmail(email: string): string | undefined {
    return this.#byEmail.get(email.toLowerCase());
  }

  /** User id, ignoring case; undefined when nobody of this name lives there. */
  userByNameAndZip(firstName: string, lastName: string, zip: string): string | undefined {
    return this.#byNameAndZip.get(nameAndZip(firstName, lastName, zip));
  }

  /**
   * Computes something about this world once for each key. Many flows share a task, and a process sees the same tasks again
   * and again; each `kind` keeps at most 20,000 results.
   */
  once<V>(kind: string, key: string, compute: () => V): V {
    let results = this.#memo.get(kind);
    if (results === undefined) this.#memo.set(kind, (results = new Map<string, unknown>()));
    if (results.has(key)) return results.get(key) as V;
    const value = compute();
    if (results.size >= 20_000) results.clear();
    results.set(key, value);
    return value;
  }
}

function nameAndZip(firstName: string, lastName: string, zip: string): string {
  return `${firstName}\n${lastName}\n${zip}`.toLowerCase();
}
