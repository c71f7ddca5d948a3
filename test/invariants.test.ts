import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJobRuntimes } from '../cluster/jobs/runtime.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { systemClock } from '../src/clock/system.ts';
import { initCompute } from '../src/compute/backend.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { Purpose, RolloutRequestSchema } from '../src/gen/millrace/v1/training_pb.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { makeObservedStreams, observeCluster } from './support/observed-cluster.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

const ROUNDS = 16;
const GROUPS = 4;
/** How long nats-server stands still, in ms. */
const STOPPED_MS = 3000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let cluster: TestCluster;
beforeAll(async () => {
  await initCompute();
  folder = await temporaryFolder();
  await makeObservedStreams(folder.path);
  cluster = await startTestCluster({ stateDir: folder.path });
});
afterAll(async () => {
  await cluster?.end();
  await folder.remove();
});

describe('a real cluster, watched by the invariants of the simulation', () => {
  it('breaks none while nodes are killed and nats-server stands still', async () => {
    const config = thermostatJob([`rounds=${ROUNDS}`, `rollout.groupsPerRound=${GROUPS}`, 'evaluation.every=0']);
    const runtimes = createJobRuntimes({ clock: systemClock, outside: (work) => work });
    const { kind, spec } = await runtimes.get({ id: 'observed', config, code: undefined });
    await kind.load?.();
    const observed = await observeCluster(cluster, config, kind.learner(spec));
    const { id } = await cluster.createJob(config);
    for (const [i, victim] of [
      'rollout-1',
      'parameter-server',
      'nats-server',
      'reward-1',
      'coordinator',
      'learner-1',
    ].entries()) {
      await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 1 + 2 * i);
      if (victim !== 'nats-server') {
        cluster.kill(victim);
        continue;
      }
      const { pid } = cluster.nats()!;
      process.kill(pid!, 'SIGSTOP');
      await systemClock.sleep(STOPPED_MS);
      process.kill(pid!, 'SIGCONT');
    }
    const job = await cluster.ended(id);
    expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);

    expect(observed.violations).toEqual([]);
    // And they were looking: at every version, every request's groups and their release.
    expect([...new Set(observed.versions)]).toEqual(Array.from({ length: ROUNDS + 1 }, (_, version) => version));
    expect(observed.facts.scored.size).toBe(Number(job.progress!.requests));
    expect(observed.facts.record!.accepted).toBe(Number(job.progress!.requests));
    await expect.poll(() => observed.releases).toBeGreaterThanOrEqual(ROUNDS * GROUPS);

    // What must not happen is noticed.
    const bus = await connectBus({ servers: cluster.natsUrl, name: 'test', ...loginOf(cluster.natsAdmin!) });
    const request = create(RolloutRequestSchema, { job: id, id: `${id}:forged`, sequence: 10_000n, purpose: Purpose.TRAIN });
    await bus.publish('rollout.nobody', toBinary(RolloutRequestSchema, request), { id: 'forged' });
    await expect.poll(() => observed.violations.join()).toMatch(/^sent-was-accepted: request 10000 is sent/);
    await bus.close();
    await observed.stop();
  });
});
