import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from 'millrace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tinyWorld } from '../test-support.ts';
import { readWorld } from './read.ts';

type Files = Record<'users' | 'products' | 'orders' | 'tasks', unknown>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-retail-'));
});
afterAll(() => rm(folder, { recursive: true }));

function files(): Files {
  const { users, products, orders } = structuredClone(JSON.parse(JSON.stringify(tinyWorld()))) as Omit<Files, 'tasks'>;
  const actions = [{ name: 'cancel_pending_order', arguments: { order_id: '#W1', reason: 'no longer needed' } }];
  const task = {
    id: 't0',
    user_id: 'ann_roe_1',
    instruction: 'My email is ann@example.org. Cancel #W1, no longer needed.',
    actions,
  };
  return { users, products, orders, tasks: [task, { ...task, id: 't1', outputs: [] }] };
}

async function write(contents: Record<string, unknown>): Promise<void> {
  for (const [name, value] of Object.entries(contents)) {
    await writeFile(join(folder, `${name}.json`), typeof value === 'string' ? value : JSON.stringify(value, null, 1));
  }
}

/** Sets the value at a path; undefined removes it. */
function set(root: unknown, path: (string | number)[], value: unknown): void {
  const last = path.at(-1)!;
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], root);
  if (value === undefined) delete (parent as Record<string, unknown>)[last];
  else (parent as Record<string, unknown>)[last] = value;
}

async function failure(): Promise<MillraceError> {
  const thrown: unknown = await readWorld(folder).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(MillraceError);
  return thrown as MillraceError;
}

describe('readWorld', () => {
  it('reads a folder and says where each task came from', async () => {
    await write(files());
    const { world, tasks, origins } = await readWorld(folder);
    expect(Object.keys(world.orders)).toHaveLength(5);
    expect(tasks.map((task) => task.id)).toEqual(['t0', 't1']);
    expect(origins[0]).toBe(`${join(folder, 'tasks.json')}:2`);
    expect(Number(origins[1]!.split(':').at(-1))).toBeGreaterThan(10);
  });

  it.each<[file: keyof Files, path: (string | number)[], value: unknown, message: RegExp]>([
    ['users', ['ann_roe_1', 'email'], 7, /users\.json:\d+: ann_roe_1, field email: .*string/],
    [
      'users',
      ['ann_roe_1', 'payment_methods', 'gift_card_1', 'balance'],
      undefined,
      /ann_roe_1, field payment_methods\.gift_card_1\.balance/,
    ],
    [
      'users',
      ['ann_roe_1', 'payment_methods', 'gift_card_1', 'id'],
      'x',
      /ann_roe_1, field payment_methods\.gift_card_1\.id: is x/,
    ],
    ['users', ['bo_li_2', 'orders', 0], '#W77', /bo_li_2, field orders\.0: names order #W77/],
    ['products', ['10', 'variants', '101', 'price'], -1, /products\.json:\d+: 10, field variants\.101\.price/],
    ['products', ['10', 'product_id'], '11', /10, field product_id: is 11/],
    ['orders', ['#W1', 'status'], 'lost', /orders\.json:\d+: #W1, field status/],
    ['orders', ['#W1', 'items', 1, 'price'], 'free', /#W1, field items\.1\.price/],
    ['orders', ['#W1', 'user_id'], 'cy', /#W1, field user_id: names user cy/],
    ['orders', ['#W1', 'order_id'], '#W2', /#W1, field order_id: is #W2/],
    ['tasks', [1, 'instruction'], '', /tasks\.json:\d+: record 1 \(t1\), field instruction/],
    ['tasks', [1, 'id'], 't0', /record 1 \(t0\), field id: t0 was used before/],
    ['tasks', [0, 'user_id'], 'cy', /record 0 \(t0\), field user_id: names user cy/],
    ['tasks', [0, 'actions', 0, 'name'], 'fly', /record 0 \(t0\), field actions\.0\.name: is fly/],
    ['tasks', [0, 'actions', 0, 'arguments'], 'none', /record 0 \(t0\), field actions\.0\.arguments/],
  ])('points at %s %j being %j', async (file, path, value, message) => {
    const contents = files();
    set(contents[file], path, value);
    await write(contents);
    const error = await failure();
    expect(error.message).toMatch(message);
    expect(error.code).toBe('invalid_argument');
    expect(error.field).toBe([`${file}.json`, ...path].join('.'));
  });

  it('names the line of the field', async () => {
    const contents = files();
    set(contents.orders, ['#W1', 'status'], 'lost');
    await write(contents);
    const line = JSON.stringify(contents.orders, null, 1)
      .split('\n')
      .findIndex((text) => text.includes('lost'));
    expect((await failure()).message).toContain(`orders.json:${line + 1}:`);
  });

  it('names the line where a file stops being JSON, and a file that is of the wrong shape', async () => {
    await write({ ...files(), products: '{\n "10": {\n  oops\n }\n}' });
    expect((await failure()).message).toMatch(/products\.json:3: not JSON/);
    await write({ ...files(), tasks: '{}' });
    expect((await failure()).message).toMatch(/tasks\.json:1: the file: /);
  });

  it('names a file that is missing', async () => {
    await write(files());
    await rm(join(folder, 'tasks.json'));
    const error = await failure();
    expect(error.code).toBe('not_found');
    expect(error.message).toContain('tasks.json');
  });
});
