import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  RolloutRequestSchema,
  ScoredGroupSchema,
  TrajectoryGroupSchema,
  Verdict,
  type ScoredGroup,
  type TrajectoryGroup,
} from '../../src/gen/millrace/v1/training_pb.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end } from '../../src/jobs/ledger.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import { requestFor } from '../../src/jobs/requests.ts';
import { hasParts, readParts } from '../../src/protocol/parts.ts';
import { startReward } from '../reward/index.ts';
import { startRollout } from './index.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

it('a request that comes again is run again, unless the ledger says that it has ended', async () => {
  const nodes = new MemoryNodes(folder.path);
  const { clock } = nodes;
  const config = thermostatJob(['rollout.groupSize=2']);
  // All that its worker is given has been delivered before.
  const again = (bus: Bus): Bus =>
    Object.assign(Object.create(bus) as Bus, {
      consume: ((options, handler) =>
        bus.consume(options, (message) =>
          handler(Object.assign(Object.create(message) as typeof message, { deliveryCount: 2 })),
        )) satisfies Bus['consume'],
    });
  const node = await clock.run(nodes.node('rollout-1', again));
  const record = createJobRecord({ id: 'a', config, now: 0 });
  await clock.run(node.jobs.create(transition(record, 'RUNNING', { now: 0 })));
  const ledger = end(end(emptyLedger(), 0, 'trained', 2), 2, 'expired');
  const nothing = { weights: new Uint8Array(), optimizer: new Uint8Array(), exploration: new Uint8Array() };
  await clock.run(node.weights.commit(create(WeightManifestSchema, { job: 'a', version: 0, ledger }), nothing, 0));

  const groups = { stream: 'GROUPS', durable: 'test', filter: 'group.>' } as const;
  const ran: number[] = [];
  await clock.run(
    node.bus.consume(groups, async (message) => {
      ran.push(Number(fromBinary(TrajectoryGroupSchema, message.data).request!.sequence));
      await message.ack();
    }),
  );
  const task = { id: 't', json: JSON.stringify({ id: 't', target: 20, rooms: [{ degrees: 24, windowOpen: false }] }) };
  for (const sequence of [0, 1, 2, 3]) {
    const request = requestFor(
      { job: 'a', config },
      { sequence, task: { ...task, id: `t${sequence}` }, policyVersion: 0, now: 0 },
    );
    // Flows of chance need no weights.
    const byChance = { ...request, agent: Agent.RANDOM };
    await clock.run(node.bus.publish('rollout.a.train', toBinary(RolloutRequestSchema, byChance), { id: request.id }));
  }
  const worker = await clock.run(startRollout(node));
  await nodes.until(async () => (await node.bus.streamState('ROLLOUTS')).messages === 0);
  await clock.run(worker.stop());
  expect(ran.sort()).toEqual([1, 3]);
});

/** A bus on which every group is too large for its worker. */
const tiny = (bus: Bus): Bus => Object.defineProperty(Object.create(bus) as Bus, 'maxMessageBytes', { value: 3 });

it.each(['rollout', 'reward'] as const)('a group that the %s worker cannot send fails once, with its size', async (role) => {
  const nodes = new MemoryNodes(folder.path);
  const { clock } = nodes;
  const config = thermostatJob(['rollout.groupSize=3']);
  const rollout = await clock.run(nodes.node('rollout-1', role === 'rollout' ? tiny : undefined));
  const reward = await clock.run(nodes.node('reward-1', role === 'reward' ? tiny : undefined));
  await clock.run(rollout.jobs.create(transition(createJobRecord({ id: 'a', config, now: 0 }), 'RUNNING', { now: 0 })));
  const [groups, scored]: [TrajectoryGroup[], ScoredGroup[]] = [[], []];
  const publish = rollout.bus.publish.bind(rollout.bus);
  rollout.bus.publish = async (subject, data, options) => {
    const { headers = {} } = options;
    const whole = hasParts({ headers }) ? await readParts(rollout.bus, { headers }) : data;
    if (subject === 'group.a') groups.push(fromBinary(TrajectoryGroupSchema, whole));
    return publish(subject, data, options);
  };
  const durable = { stream: 'SCORED', durable: 'test', filter: 'scored.>' } as const;
  await clock.run(
    reward.bus.consume(durable, async (message) => {
      scored.push(fromBinary(ScoredGroupSchema, message.data));
      await message.ack();
    }),
  );
  const task = { id: 't', json: JSON.stringify({ id: 't', target: 20, rooms: [{ degrees: 24, windowOpen: false }] }) };
  const request = { ...requestFor({ job: 'a', config }, { sequence: 0, task, policyVersion: 0, now: 0 }), agent: Agent.RANDOM };
  await clock.run(rollout.bus.publish('rollout.a', toBinary(RolloutRequestSchema, request), { id: request.id }));
  const workers = await clock.run(Promise.all([startRollout(rollout), startReward(reward)]));
  await nodes.until(() => scored.length > 0);
  await clock.run(clock.sleep(60_000));
  await clock.run(Promise.all(workers.map((worker) => worker.stop())));

  expect([groups.length, scored.length]).toEqual([1, 1]);
  const tooLarge = FailureClass.GROUP_TOO_LARGE;
  if (role === 'rollout') expect(groups[0]!.trajectories.map(({ failure }) => failure)).toEqual([tooLarge, tooLarge, tooLarge]);
  expect(scored[0]).toMatchObject({ verdict: Verdict.FAILED, failure: tooLarge, experience: new Uint8Array() });
  expect(scored[0]!.failureMessage).toMatch(/^a group of 3 is [\d,]+ bytes, and at most (258|3) may travel \(answers \d+, /);
  expect(scored[0]!.trajectoryRows.byteLength).toBeGreaterThan(0);
  for (const stream of ['ROLLOUTS', 'GROUPS', 'PARTS', 'DLQ'] as const)
    expect((await clock.run(rollout.bus.streamState(stream))).messages).toBe(0);
});
