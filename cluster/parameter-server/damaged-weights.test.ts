import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import { startCoordinator } from '../coordinator/index.ts';
import { actorOf } from '../../src/policy/registry.ts';
import { CoordinatorBackend } from '../coordinator/admin-backend.ts';
import { WEIGHTS_DAMAGED } from '../jobs/damaged-weights.ts';
import { watchNodes } from '../runtime/nodes.ts';
import { startParameterServer } from './index.ts';
import { FollowedPolicy } from '../rollout/policies.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const GARBAGE = Uint8Array.from({ length: 90 }, (_, i) => (i * 89 + 200) & 255);
const over = (change: (whole: Uint8Array) => Uint8Array) => (bus: Bus, subject: string, whole: Uint8Array) =>
  bus.publish(subject, change(whole), { id: 'damage' });

it.each<[string, (bus: Bus, subject: string, whole: Uint8Array) => Promise<unknown>]>([
  ['garbage', over(() => GARBAGE)],
  ['truncated', over((whole) => whole.subarray(0, whole.length / 2))],
  ['changed in one bit', over((whole) => whole.map((byte, index) => (index === 5 ? byte ^ 1 : byte)))],
  ['deleted', (bus, subject) => bus.purge('WEIGHTS', subject)],
])('a chunk of the newest weights is published again by the trainer, and the job says so: %s', async (_, damage) => {
  await initCompute();
  const nodes = new MemoryNodes(folder.path);
  const { clock } = nodes;
  const node = (id: string) => clock.run(nodes.node(id));
  const [coordinator, server, rollout] = [await node('coordinator'), await node('parameter-server'), await node('rollout')];
  const roles = [await clock.run(startCoordinator(coordinator)), await clock.run(startParameterServer(server))];
  const record = createJobRecord({ id: 'a', config: thermostatJob(), now: 1 });
  await clock.run(coordinator.jobs.create(transition(record, 'RUNNING', { now: 2 })));
  await nodes.until(async () => (await rollout.weights.latest('a')) !== undefined, 10);
  const { manifest } = (await clock.run(rollout.weights.latest('a')))!;
  const whole = await clock.run(rollout.weights.fetch(manifest, 'weights'));

  const digest = Buffer.from(manifest.weights!.sha256).toString('hex').slice(0, 12);
  await clock.run(damage(coordinator.bus, `weights.a.0.weights-${digest}.0`, whole));
  await expect(clock.run(rollout.weights.fetch(manifest, 'weights'))).rejects.toThrow(/version 0/);

  const { kind, spec, outline } = await clock.run(rollout.runtimes.get(record));
  const actor = await actorOf(kind, spec, outline);
  const policy = await clock.run(FollowedPolicy.open(rollout, 'a', { kind: kind.name, create: () => actor.policy() }));
  const lease = await clock.run(policy.acquire(0, false));
  expect(lease.version).toBe(0);
  lease.release();
  policy.close();
  expect(Buffer.compare(await clock.run(rollout.weights.fetch(manifest, 'weights')), whole)).toBe(0);

  const backend = new CoordinatorBackend(coordinator, await clock.run(watchNodes(coordinator.bus)), {
    query: () => Promise.reject(new Error('no SQL')),
  });
  const notice = async () => (await backend.getJob('a')).notices.find(({ code }) => code === WEIGHTS_DAMAGED);
  await nodes.until(async () => (await notice())?.resolveTime !== undefined, 10);
  expect((await clock.run(notice()))!.message).toMatch(/^weights in stream WEIGHTS cannot be read: .*weights of a version 0/);
  expect((await clock.run(backend.getJob('a'))).state).toBe(JobState.RUNNING);
  backend.close();
  for (const role of roles) await clock.run(role.stop());
});
