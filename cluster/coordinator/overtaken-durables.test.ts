import { expect, it } from 'vitest';
import type { Bus } from '../../src/bus/bus.ts';
import { REWARD_WORK, ROLLOUT_WORK } from '../../src/protocol/durables.ts';
import { groupSubject } from '../../src/protocol/subjects.ts';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { keepTopology } from './topology-keeper.ts';

/** A node whose server says of a durable that it has delivered more than its stream has, until it is made again. */
async function nodeAfterLoss() {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  let isLost = true;
  const lossy = (bus: Bus): Bus =>
    Object.assign(Object.create(bus) as Bus, {
      durables: async (stream: string) =>
        (await bus.durables(stream)).map((one) =>
          one.durable === REWARD_WORK.durable && isLost ? { ...one, lastDelivered: 908 } : one,
        ),
      deleteDurable: async (stream: string, durable: string) => {
        await bus.deleteDurable(stream, durable);
        if (durable === REWARD_WORK.durable) isLost = false;
      },
    });
  const node = await clock.run(nodes.node('coordinator', lossy));
  await clock.run(Promise.all([node.bus.ensureDurable(ROLLOUT_WORK), node.bus.ensureDurable(REWARD_WORK)]));
  return { nodes, clock, node };
}

it('durables that are ahead of their stream are made again, and others are left alone', async () => {
  const { clock, node } = await nodeAfterLoss();
  const created = async ({ stream, durable }: typeof REWARD_WORK | typeof ROLLOUT_WORK): Promise<string | undefined> =>
    (await clock.run(node.bus.durableState(stream, durable)))?.created;
  const before = { reward: await created(REWARD_WORK), rollout: await created(ROLLOUT_WORK) };
  await clock.run(node.bus.publish(groupSubject('a'), Uint8Array.of(1), { id: 'a' }));
  const stop = keepTopology(node, () => []);
  await clock.run(clock.sleep(6_000));
  stop();
  expect(await created(REWARD_WORK)).not.toBe(before.reward);
  expect(await created(ROLLOUT_WORK)).toBe(before.rollout);
  // It begins at what the stream has kept.
  expect(await clock.run(node.bus.durableState(REWARD_WORK.stream, REWARD_WORK.durable))).toMatchObject({ pending: 1 });
});
