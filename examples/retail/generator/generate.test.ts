import { MillraceError } from 'millrace';
import { describe, expect, it } from 'vitest';
import { analyze } from '../analyzer/analyze.ts';
import { replayGold } from '../world/gold.ts';
import { orderSchema, productSchema, retailTaskSchema, userSchema } from '../world/records.ts';
import { generate } from './generate.ts';

const { world, tasks } = generate({}, 1);

describe('generate', () => {
  it('is the same for the same seed and options, and not otherwise', () => {
    const small = { users: 60, tasks: 40 };
    const again = generate(small, 7);
    expect(JSON.stringify(generate(small, 7))).toBe(JSON.stringify(again));
    expect(JSON.stringify(generate(small, 8).tasks)).not.toBe(JSON.stringify(again.tasks));
  });

  it('does not change the shop when only the number of tasks changes', () => {
    const [few, many] = [generate({ users: 60, tasks: 5 }, 7), generate({ users: 60, tasks: 30 }, 7)];
    expect(JSON.stringify(few.world)).toBe(JSON.stringify(many.world));
    expect(many.tasks.slice(0, 5)).toEqual(few.tasks);
  });

  it("makes records and tasks of the data's schema", () => {
    for (const user of Object.values(world.users)) userSchema.parse(user);
    for (const product of Object.values(world.products)) productSchema.parse(product);
    for (const order of Object.values(world.orders)) orderSchema.parse(order);
    for (const task of tasks) retailTaskSchema.parse(task);
  });

  it('makes a shop in which everything that is referred to exists', () => {
    const ids = Object.values(world.users).flatMap((user) => user.orders);
    expect(ids.sort()).toEqual(Object.keys(world.orders).sort());
    for (const order of Object.values(world.orders)) {
      expect(world.users[order.user_id]!.orders).toContain(order.order_id);
      for (const item of order.items)
        expect(world.products[item.product_id]!.variants[item.item_id]!.options).toEqual(item.options);
      for (const { payment_method_id } of order.payment_history) {
        expect(world.users[order.user_id]!.payment_methods).toHaveProperty(payment_method_id);
      }
    }
    const emails = Object.values(world.users).map((user) => user.email);
    expect(new Set(emails).size).toBe(emails.length);
  });

  it('makes tasks whose gold calls succeed and change something', () => {
    for (const task of tasks) {
      const { calls, changes } = replayGold(world, task.actions);
      expect(calls.filter((call) => call.error !== undefined)).toEqual([]);
      expect(Object.keys(changes)).not.toEqual([]);
    }
  });

  it('asks for everything, in 1 to 7 requests, at least as many as the real tasks have', () => {
    expect(tasks).toHaveLength(450);
    const counts = tasks.map((task) => analyze(task.instruction, world).clauses.length);
    expect([...new Set(counts)].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(counts.filter((count) => count > 1).length / counts.length).toBeGreaterThan(0.4);
    const kinds = tasks.flatMap((task) => task.actions.map((action) => action.name));
    for (const kind of [
      'cancel_pending_order',
      'exchange_delivered_order_items',
      'modify_pending_order_address',
      'modify_pending_order_items',
      'modify_pending_order_payment',
      'modify_user_address',
      'return_delivered_order_items',
    ]) {
      expect(kinds.filter((name) => name === kind).length, kind).toBeGreaterThan(25);
    }
  });

  it('sometimes asks for the items of an order to be changed before the rest of it', () => {
    const early = tasks.filter((task) => {
      const { clauses } = analyze(task.instruction, world);
      return clauses.some(
        ({ slots }, i) => slots.items.length > 0 && clauses.slice(i + 1).some((other) => other.slots.orderId === slots.orderId),
      );
    });
    expect(early.length).toBeGreaterThan(15);
  });

  it('puts the same thing in many ways', () => {
    const openings = tasks.flatMap((task) =>
      analyze(task.instruction, world).clauses.map(({ text }) => text.replace(/#W\d+/, '#').split(' ').slice(0, 4).join(' ')),
    );
    expect(new Set(openings).size).toBeGreaterThan(200);
  });

  it('makes fewer requests where no customer has orders enough', () => {
    expect(generate({ users: 20, tasks: 3, requests: [0, 0, 0, 0, 0, 0, 1] }, 1).tasks).toHaveLength(3);
  });

  it.each([
    [{ user: 20 }, 'source', /user/],
    [{ users: 3 }, 'source.users', /users/],
    [{ tasks: 'many' }, 'source.tasks', /tasks/],
    [{ requests: [0, 0] }, 'source.requests', /weight/],
  ])('refuses the options %j', (options, field, message) => {
    const run = (): unknown => generate(options, 1);
    expect(run).toThrow(MillraceError);
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'invalid_argument', field }));
  });
});
