import { DeficitRoundRobin } from '../../src/jobs/scheduler/round-robin.ts';

/** Somebody who has work now and then. */
export interface Turn {
  /** What its next piece of work costs, above 0; undefined when it has none. */
  readonly cost: number | undefined;
  /** Its share relative to that of others, above 0. */
  readonly weight: number;
  /** Does the next piece. Never rejects. */
  work(): Promise<void>;
}

/**
 * Has several do their work one piece at a time: shards of two parameter servers at once would take twice as long each, and twice the memory.
 * What they cost is shared by weight.
 */
export class Turns<T extends Turn> {
  readonly #members = new Set<T>();
  readonly #order = new DeficitRoundRobin<T>();
  #running = false;

  add(member: T): void {
    this.#members.add(member);
  }

  remove(member: T): void {
    this.#members.delete(member);
  }

  /** One of them has got work. */
  wake(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // Messages that come together are there together.
    await Promise.resolve();
    for (let next = this.#next(); next; next = this.#next()) await next.work();
    this.#running = false;
  }

  #next(): T | undefined {
    return this.#order.next(
      [...this.#members].flatMap((key) => {
        const { cost, weight } = key;
        return cost === undefined ? [] : [{ key, weight, cost }];
      }),
    );
  }
}
