/** The tools of the shop in Python beside our own: a flow compares changes with changes, so that errors of both would hide. */
import { ToolError } from 'millrace';
import { expect, it } from 'vitest';
import { callTool } from '../../examples/retail/tools/index.ts';
import { Database } from '../../examples/retail/world/database.ts';
import { World } from '../../examples/retail/world/world.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { askPython, pythonWithNumpy } from './test-support.ts';
import { anyCall, tinyShop } from './tiny-shop.ts';

const python = pythonWithNumpy();

const CHANGES = `
import json, sys
from retail.tools import gold_changes
from retail.world import World
given = json.load(sys.stdin)
world, before = World(**given["world"]), json.dumps(given["world"])
changes = [gold_changes(world, calls) for calls in given["sequences"]]
assert json.dumps(given["world"]) == before, "a tool wrote to the world"
json.dump([{f"{'orders' if order else 'users'}/{id}": record for (order, id), record in each.items()} for each in changes], sys.stdout)
`;

it.skipIf(python === undefined)(
  'the tools in Python change what ours do',
  () => {
    const random = seededRandom(5);
    const world = new World(tinyShop());
    const sequences = Array.from({ length: 6000 }, () => Array.from({ length: 1 + random.integer(5) }, () => anyCall(random)));
    const refusals = new Set<string>();
    const written = new Map<string, number>();
    const expected = sequences.map((calls) => {
      const database = new Database(world);
      for (const { name, arguments: given } of calls) {
        try {
          callTool(name, given, database);
          written.set(name, (written.get(name) ?? 0) + 1);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ToolError);
          refusals.add((thrown as Error).message.replace(/[#\w.]*\d[\w.]*/g, 'N'));
        }
      }
      const changed = Object.keys(database.changes()).map((key): [string, unknown] => {
        const [kind, id] = key.split('/') as [string, string];
        return [key, kind === 'orders' ? database.order(id) : database.user(id)];
      });
      return Object.fromEntries(changed);
    });
    // Every tool wrote, and refused for every reason it has.
    for (const name of [
      'cancel_pending_order',
      'modify_pending_order_address',
      'modify_pending_order_payment',
      'modify_user_address',
    ])
      expect(written.get(name), name).toBeGreaterThan(50);
    for (const name of ['modify_pending_order_items', 'return_delivered_order_items', 'exchange_delivered_order_items'])
      expect(written.get(name), name).toBeGreaterThan(20);
    expect(refusals.size).toBeGreaterThan(20);
    const theirs = askPython<unknown[]>(python!, CHANGES, [], { world: tinyShop(), sequences });
    sequences.forEach((calls, index) => expect(theirs[index], JSON.stringify(calls)).toEqual(expected[index]));
  },
  60_000,
);
