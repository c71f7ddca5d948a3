import { describe, expect, it } from 'vitest';
import { Turns, type Turn } from './turns.ts';

/** Has `count` pieces of work of one cost; notes each in `log`. */
class Member implements Turn {
  readonly #name: string;
  readonly #log: string[];
  #left: number;
  readonly #cost: number;
  readonly weight: number;

  constructor(name: string, log: string[], { count, cost = 1, weight = 1 }: { count: number; cost?: number; weight?: number }) {
    this.#name = name;
    this.#log = log;
    this.#left = count;
    this.#cost = cost;
    this.weight = weight;
  }

  get cost(): number | undefined {
    return this.#left > 0 ? this.#cost : undefined;
  }

  async work(): Promise<void> {
    this.#left -= 1;
    this.#log.push(this.#name);
    await Promise.resolve();
    this.#log.push(`/${this.#name}`);
  }
}

/** What was done, when nothing is left. */
async function done(members: (log: string[]) => Member[]): Promise<string[]> {
  const log: string[] = [];
  const turns = new Turns<Member>();
  for (const member of members(log)) turns.add(member);
  turns.wake();
  await new Promise((resolve) => setImmediate(resolve));
  return log;
}

const began = (log: string[], name: string, among: number): number =>
  log
    .filter((each) => !each.startsWith('/'))
    .slice(0, among)
    .filter((each) => each === name).length;

describe('Turns', () => {
  it('does one piece at a time, in turns', async () => {
    const log = await done((into) => ['a', 'b'].map((name) => new Member(name, into, { count: 2 })));
    expect(log).toEqual(['a', '/a', 'b', '/b', 'a', '/a', 'b', '/b']);
  });

  it('shares what pieces cost by weight', async () => {
    const log = await done((into) => [
      new Member('one', into, { count: 40 }),
      new Member('three', into, { count: 40, weight: 3 }),
    ]);
    expect(began(log, 'three', 40)).toBe(30);
    const costs = await done((into) => [
      new Member('large', into, { count: 40, cost: 4 }),
      new Member('small', into, { count: 40 }),
    ]);
    expect(began(costs, 'small', 40)).toBe(32);
  });

  it('keeps serving the remaining members when one is finished', async () => {
    const log = await done((into) => [new Member('a', into, { count: 3 }), new Member('b', into, { count: 1 })]);
    expect(log.filter((each) => each === 'a')).toHaveLength(3);
  });
});
