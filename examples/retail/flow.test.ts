import { seededRandom } from 'millrace';
import { describe, expect, it } from 'vitest';
import flow from './flow.ts';
import { play, realData, rulePlanner, tinyWorld, type Planner } from './test-support.ts';
import { progress } from './world/gold.ts';
import type { RetailTask } from './world/records.ts';
import type { World } from './world/world.ts';

const doNothing: Planner = (_, plan) => plan.actions.findIndex((action) => action.tool === 'done');

async function successes(tasks: readonly RetailTask[], world: World, choose: Planner): Promise<string[]> {
  const solved: string[] = [];
  for (const task of tasks) if ((await play(task, world, choose)).reward === 1) solved.push(task.id);
  return solved;
}

async function loaded(data: string | undefined): Promise<{ tasks: RetailTask[]; world: World }> {
  const { tasks, context } = await flow.load({ data, options: {}, seed: 1 });
  return { tasks, world: context as World };
}

describe.each([
  ['generated', undefined],
  ['real', realData],
])('on %s tasks', (source, data) => {
  it('the rule planner solves all; doing nothing and chance at most 2 %', async (context) => {
    if (source === 'real' && data === undefined) context.skip("tau-bench's retail data was not found: set MILLRACE_DATA");
    const { tasks, world } = await loaded(data);
    const solved = new Set(await successes(tasks, world, rulePlanner));
    expect(tasks.filter((task) => !solved.has(task.id)).map((task) => task.id)).toEqual([]);
    expect((await successes(tasks, world, doNothing)).length / tasks.length).toBeLessThanOrEqual(0.02);
    const random = seededRandom(1);
    const chance: Planner = (_, plan) => random.integer(plan.actions.length);
    let lucky = 0;
    for (let i = 0; i < 6; i += 1) lucky += (await successes(tasks, world, chance)).length;
    expect(lucky / 6 / tasks.length).toBeLessThanOrEqual(0.02);
  }, 60_000);
});

it('the potential begins at 0, is at most 1, and is higher where more was done', async () => {
  const { tasks, world } = await loaded(undefined);
  let [idle, done] = [0, 0];
  for (const task of tasks.slice(0, 50)) {
    expect(flow.potential!(flow.remember(task, world))).toBe(0);
    idle += flow.potential!((await play(task, world, doNothing)).memory);
    const end = flow.potential!((await play(task, world, rulePlanner)).memory);
    expect(end).toBeGreaterThanOrEqual(0);
    expect(end).toBeLessThanOrEqual(1);
    done += end;
  }
  expect(idle).toBe(0);
  expect(done / 50).toBeGreaterThan(0.5);
});

it('progress is the share of records that are right, less unwanted ones', () => {
  const gold = { 'orders/1': 'a', 'orders/2': 'b' };
  expect(progress(gold, {})).toBe(0);
  expect(progress(gold, { 'orders/1': 'a' })).toBe(0.5);
  expect(progress(gold, { 'orders/1': 'a', 'orders/2': 'x', 'orders/3': 'c' })).toBe(0.25);
  expect(progress(gold, gold)).toBe(1);
  expect(progress({}, { 'orders/3': 'c' })).toBe(0);
});

it('the rule planner solves all tasks of other seeds', async () => {
  for (const seed of [2, 3]) {
    const { tasks, context } = await flow.load({ data: undefined, options: { users: 100, tasks: 150 }, seed });
    const world = context as World;
    expect(await successes(tasks, world, rulePlanner)).toHaveLength(tasks.length);
  }
}, 60_000);

/** Picks actions by name, e.g. `cancel 0`. */
function script(...names: string[]): Planner {
  return (_, plan) => {
    const wanted = names.shift() ?? 'done';
    return plan.actions.findIndex((action) => [action.tool, ...(action.items ?? [])].join(' ') === wanted);
  };
}

function task(instruction: string, actions: RetailTask['actions'] = []): RetailTask {
  return { id: 't', user_id: 'ann_roe_1', instruction: `My name is Ann Roe, email ann@example.org. ${instruction}`, actions };
}

describe('a flow', () => {
  const swapAndCharge = task('In #W5 change Mug to (glaze: white), PayPal pays. Charge #W5 to paypal_1.', [
    { name: 'modify_pending_order_payment', arguments: { order_id: '#W5', payment_method_id: 'paypal_1' } },
    {
      name: 'modify_pending_order_items',
      arguments: { order_id: '#W5', item_ids: ['201'], new_item_ids: ['202'], payment_method_id: 'paypal_1' },
    },
  ]);

  it('has all actions open at every step: nine for each request and five others', async () => {
    const { memory } = await play(swapAndCharge, tinyWorld(), doNothing);
    expect(flow.plan(memory).actions).toHaveLength(5 + 2 * 9);
    expect(flow.plan(memory).actions).toEqual(flow.plan(flow.remember(swapAndCharge, tinyWorld())).actions);
    expect(flow.maxSteps!(swapAndCharge)).toBe(16);
  });

  it('asks for the steps of a real workflow', async () => {
    const { outcomes } = await play(
      swapAndCharge,
      tinyWorld(),
      script(
        'get_user',
        'get_order 0',
        'auth_name_zip',
        'auth_email',
        'modify_items 0',
        'get_product 0',
        'get_order 0',
        'modify_items 0',
        'get_product 0',
        'modify_items 0',
        'get_user',
        'modify_items 0',
      ),
    );
    expect(outcomes.map(({ error }) => error ?? 'ok')).toEqual([
      expect.stringContaining('who the customer is'),
      expect.stringContaining('who the customer is'),
      expect.stringContaining('zip code'),
      'ok',
      expect.stringContaining('#W5 up first'),
      expect.stringContaining('#W5 up first'),
      'ok',
      expect.stringContaining('Mug up first'),
      'ok',
      expect.stringContaining('profile up first'),
      'ok',
      'ok',
      'ok',
    ]);
  });

  it('fails when the items of an order are changed before its payment', async () => {
    const world = tinyWorld();
    const lookUp = ['auth_email', 'get_user', 'get_order 0', 'get_product 0'];
    const early = await play(swapAndCharge, world, script(...lookUp, 'modify_items 0', 'modify_payment 1'));
    expect(early.reward).toBe(0);
    expect(early.outcomes[5]!.error).toContain('item modified');
    const late = await play(swapAndCharge, world, script(...lookUp, 'modify_payment 1', 'modify_items 0'));
    expect(late.reward).toBe(1);
  });

  it('lets nobody at the orders of others', async () => {
    const { outcomes, memory } = await play(
      task('Cancel #W4, no longer needed.'),
      tinyWorld(),
      script('auth_email', 'get_order 0', 'cancel 0'),
    );
    expect(outcomes[1]!.error).toContain('somebody else');
    expect(outcomes[2]!.error).toContain('up first');
    expect(memory.database.changes()).toEqual({});
  });

  it('punishes a tool that does something else than what was asked', async () => {
    const asked = task('From #W2 exchange Mug for one with (glaze: white), paid by credit_card_1.', [
      {
        name: 'exchange_delivered_order_items',
        arguments: { order_id: '#W2', item_ids: ['201'], new_item_ids: ['202'], payment_method_id: 'credit_card_1' },
      },
    ]);
    const world = tinyWorld();
    const wrong = await play(asked, world, script('auth_email', 'get_order 0', 'return 0'));
    expect(wrong.outcomes[2]!.error).toBeUndefined();
    expect(wrong.reward).toBe(0);
    expect((await play(asked, world, script('auth_email', 'get_order 0', 'get_product 0', 'exchange 0'))).reward).toBe(1);
  });

  it('takes failing gold calls as what they are: no change', async () => {
    const impossible = task('Cancel #W3, no longer needed.', [
      { name: 'cancel_pending_order', arguments: { order_id: '#W3', reason: 'no longer needed' } },
    ]);
    expect((await play(impossible, tinyWorld(), doNothing)).reward).toBe(1);
  });

  it('shows the planner what the tools have answered, and nothing of the gold', async () => {
    const { memory } = await play(
      swapAndCharge,
      tinyWorld(),
      script('auth_email', 'get_order 0', 'return 0', 'modify_payment 1'),
    );
    const { flags, items } = flow.plan(memory);
    expect(flags).toMatchObject({ authenticated: true, profile_loaded: false, has_email: true, has_zip: false });
    expect(items[0]).toMatchObject({
      text: 'In #W5 change Mug to , PayPal pays.',
      flags: { order_loaded: true, pending: true, delivered: false, failed_once: true, written: false, sibling_open: false },
    });
    expect(items[1]!.flags).toMatchObject({ order_loaded: true, written: true, sibling_open: false });
    const other = { ...swapAndCharge, actions: [] };
    expect(flow.plan(flow.remember(other, tinyWorld()))).toEqual(flow.plan(flow.remember(swapAndCharge, tinyWorld())));
  });

  it('uses only features it declares', async () => {
    const { memory } = await play(swapAndCharge, tinyWorld(), rulePlanner);
    const { flags, items } = flow.plan(memory);
    expect(Object.keys(flags!)).toEqual(flow.features.state);
    for (const item of items) expect(Object.keys(item.flags!)).toEqual(flow.features.item);
  });
});
