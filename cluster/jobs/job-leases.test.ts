import { expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import type { ActorRef } from '../../src/actor/behaviour.ts';
import { LEASES } from '../../src/protocol/names.ts';
import { JobLeases } from './job-leases.ts';

it('does not take a job again while its actor is still stopping', async () => {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  const node = await clock.run(nodes.node('coordinator'));
  const holdings = new JobLeases<never>(node, 'job');
  let stopped = (): void => {};
  const actor = { stop: () => new Promise<void>((resolve) => (stopped = resolve)) } as unknown as ActorRef<never>;
  let begun = 0;
  const take = (): Promise<void> => clock.run(holdings.acquire('a', () => Promise.resolve(((begun += 1), actor))));

  await take();
  const releasing = holdings.release('a');
  // The lease is lost meanwhile, as on a node that was stopped for a while: nothing else is in the way.
  await clock.run(node.bus.kv(LEASES).delete('job.a'));
  await take();
  expect({ begun, held: holdings.get('a') }).toEqual({ begun: 1, held: undefined });

  stopped();
  await clock.run(releasing);
  await take();
  expect({ begun, held: holdings.get('a') }).toEqual({ begun: 2, held: actor });
});
