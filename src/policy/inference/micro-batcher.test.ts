import { describe, expect, it } from 'vitest';
import { systemClock } from '../../clock/system.ts';
import { VirtualClock } from '../../clock/virtual.ts';
import type { PlannerSituations } from '../planner/situations.ts';
import { contentActor, ContentPolicy, contentSpec } from '../../flow/fixtures/content-policy.ts';
import { parcelFlow } from '../../flow/fixtures/parcels.ts';
import { MicroBatcher } from './micro-batcher.ts';

const flow = parcelFlow();
const spec = contentSpec(flow);
const actor = contentActor(flow, spec);
const lease = (policy: ContentPolicy, version = 1) => ({ version, policy: policy.acting, release: () => undefined });

/** A table with one situation per list of parcels. */
function tableOf(...situations: string[][]): PlannerSituations {
  const table = actor.situations();
  for (const parcels of situations) table.add(flow.plan({ parcels, stamped: new Set(), log: [] }));
  return table;
}

describe('MicroBatcher', () => {
  it('answers each call as if it had been alone, whatever else is in the batch', async () => {
    const policy = new ContentPolicy(spec);
    const tables = [tableOf(['a'], ['b', 'c']), tableOf(['b', 'c'], ['d'], ['a'])];
    const calls = tables.flatMap((table) =>
      table.observations.map((_, situation) => ({ table, situation, actions: 2, lease: lease(policy), temperature: 0.7 })),
    );
    const together = new MicroBatcher({ clock: systemClock });
    const results = await Promise.all(calls.map((call) => together.decide(call)));
    expect(policy.batches).toHaveLength(1);
    // Texts that two groups share travel once: a, stamp a, b, c, stamp b c, d, stamp d.
    expect(policy.batches[0]!.texts).toHaveLength(7);
    for (const [i, call] of calls.entries()) {
      const alone = await new MicroBatcher({ clock: systemClock }).decide(call);
      expect(results[i]).toEqual(alone);
    }
    expect(results[0]).toEqual(results[4]);
    expect(results[0]).not.toEqual(results[3]);
  });

  it('computes equal situations of a group once, also later', async () => {
    const policy = new ContentPolicy(spec);
    const table = tableOf(['a'], ['b']);
    const batcher = new MicroBatcher({ clock: systemClock });
    const call = (situation: number, version = 1, temperature = 1) =>
      batcher.decide({ table, situation, actions: 2, lease: lease(policy, version), temperature });
    await Promise.all([call(0), call(0), call(1), call(0)]);
    await call(1);
    expect(batcher.stats).toEqual({ calls: 5, evaluated: 2, batches: 1 });
    await Promise.all([call(0, 2), call(0, 1, 0.5)]);
    expect(batcher.stats).toEqual({ calls: 7, evaluated: 4, batches: 3 });
  });

  it('never mixes versions: each call gets its own weights', async () => {
    const [old, fresh] = [new ContentPolicy(spec, 1), new ContentPolicy(spec, 2)];
    const table = tableOf(['a', 'b']);
    const batcher = new MicroBatcher({ clock: systemClock });
    const [a, b] = await Promise.all([
      batcher.decide({ table, situation: 0, actions: 2, lease: lease(old, 1), temperature: 1 }),
      batcher.decide({ table, situation: 0, actions: 2, lease: lease(fresh, 2), temperature: 1 }),
    ]);
    expect(a).not.toEqual(b);
    expect([old.batches.length, fresh.batches.length]).toEqual([1, 1]);
  });

  it('cuts what is too much for one call', async () => {
    const policy = new ContentPolicy(spec);
    const table = tableOf(...Array.from({ length: 10 }, (_, i) => [`p${i}`]));
    const batcher = new MicroBatcher({ clock: systemClock, maxBatch: 4 });
    await Promise.all(
      table.observations.map((_, situation) =>
        batcher.decide({ table, situation, actions: 2, lease: lease(policy), temperature: 1 }),
      ),
    );
    expect(policy.batches.map((batch) => batch.observations.length)).toEqual([4, 4, 2]);
  });

  it('waits for flows in their tools, at most as long as allowed, and not when all wait', async () => {
    const clock = new VirtualClock();
    const policy = new ContentPolicy(spec);
    const batcher = new MicroBatcher({ clock, maxDelayMs: 5 });
    const [leaveFirst, leaveSecond] = [batcher.join(), batcher.join()];
    const ask = (parcel: string) =>
      batcher.decide({ table: tableOf([parcel]), situation: 0, actions: 2, lease: lease(policy), temperature: 1 });
    await clock.run(ask('a'));
    expect(clock.monotonic()).toBe(5);
    await clock.run(Promise.all([ask('b'), clock.sleep(2).then(() => ask('c'))]));
    expect([clock.monotonic(), policy.batches.length]).toEqual([7, 2]);
    await clock.run(Promise.all([ask('d'), clock.sleep(1).then(leaveSecond)]));
    expect(clock.monotonic()).toBe(8);
    leaveFirst();
  });

  it('gives a failure of the policy to the calls of that batch and goes on', async () => {
    const policy = new ContentPolicy(spec);
    const batcher = new MicroBatcher({ clock: systemClock });
    const table = tableOf(['a']);
    const ask = () => batcher.decide({ table, situation: 0, actions: 2, lease: lease(policy), temperature: 1 });
    policy.failure = new Error('out of memory');
    await expect(Promise.all([ask(), ask()])).rejects.toThrow('out of memory');
    policy.failure = undefined;
    expect(await ask()).toHaveLength(2);
    expect(batcher.waiting).toBe(0);
  });
});
