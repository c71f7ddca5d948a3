import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { updateRow } from '../../src/store/fixtures.ts';
import type { UpdateRow } from '../../src/records/tables.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import type { JobStateName } from '../../src/jobs/state.ts';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import type { NodeList } from '../runtime/nodes.ts';
import { encodeProgress, type DispatchProgress, type TrainingProgress } from '../../src/protocol/progress.ts';
import { progressSubject, waitingSubject } from '../../src/protocol/subjects.ts';
import { BudgetBook } from './budget-book.ts';
import { JobViews } from './job-view.ts';

const everyRole = {
  withRole: (role: string) => ROLE_NAMES.filter((name) => name === role),
  list: () => [],
} as unknown as NodeList;

async function running(list: NodeList = everyRole) {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  const node = await clock.run(nodes.node('coordinator'));
  const record = createJobRecord({ id: 'a', config: thermostatJob(['rollout.groupsPerRound=4']), now: 0 });
  await clock.run(node.jobs.create(transition(record, 'RUNNING', { now: 0 })));
  await clock.run(node.jobs.update('a', (now) => ({ ...now, accepted: 8 })));
  const views = new JobViews(node, list, new BudgetBook(node));
  const view = (): Promise<Job> => clock.run(views.view(node.jobs.get('a')!.record));
  await view();
  return {
    node,
    clock,
    view,
    wait: (ms: number) => clock.run(clock.sleep(ms)),
    trains: (received: number, more: Partial<TrainingProgress> = {}) =>
      node.bus.emit(progressSubject('a'), encodeProgress({ round: 0, groups: { received, needed: 4 }, learners: 1, ...more })),
    dispatches: (progress: DispatchProgress) => node.bus.emit(waitingSubject('a'), encodeProgress(progress)),
    commits: (version = 0, row?: UpdateRow) => {
      const updateRow = row ? encodeRows('updates', [row]) : new Uint8Array();
      const blobs = { weights: new Uint8Array(4), optimizer: new Uint8Array(4), exploration: new Uint8Array() };
      return clock.run(node.weights.commit(create(WeightManifestSchema, { job: 'a', version, updateRow }), blobs, version));
    },
  };
}

describe('the view of a running job', () => {
  it('says when it has received nothing for long', async () => {
    const { view, wait, trains, dispatches } = await running();
    trains(1);
    await wait(29_000);
    expect(await view()).toMatchObject({
      waitingFor: 'groups of round 1: 1 of 4 received (8 requests in flight)',
      progress: { quietSeconds: 0 },
    });
    for (let second = 0; second < 100; second += 1) {
      // What is told each second is no news.
      dispatches({ evaluation: undefined });
      await wait(1_000);
    }
    expect(await view()).toMatchObject({
      waitingFor: 'groups of round 1: 1 of 4 received (8 requests in flight); nothing received for 129 s',
      progress: { quietSeconds: 129, trajectoriesPerSecond: 0, etaSeconds: -1 },
    });
    trains(2);
    await wait(1);
    expect((await view()).waitingFor).toBe('groups of round 1: 2 of 4 received (8 requests in flight)');
  });

  it('says which workers failed last while nothing comes', async () => {
    const actors = [
      { address: 'reward-1/reward/worker', lastError: '' },
      { address: 'rollout-1/rollout/worker', lastError: 'the flow cannot be loaded' },
      { address: 'old-1/rollout/worker' },
    ];
    const { view, wait } = await running({ ...everyRole, list: () => [{ actors }] } as unknown as NodeList);
    expect((await view()).waitingFor).not.toMatch(/failed/);
    await wait(40_000);
    expect((await view()).waitingFor).toBe(
      'groups of round 1: 0 of 4 received (8 requests in flight); nothing received for 40 s; rollout-1/rollout/worker failed: the flow cannot be loaded',
    );
  });

  it.each<[string, (job: Awaited<ReturnType<typeof running>>) => unknown]>([
    ['a task of an evaluation', ({ dispatches }) => dispatches({ evaluation: { key: 'rule@0', done: 1, total: 9 } })],
    ['a version', ({ commits }) => commits()],
    ['a change of the job itself', ({ node }) => node.jobs.update('a', (now) => ({ ...now, accepted: 12 }))],
  ])('is not quiet after %s', async (_, happens) => {
    const job = await running();
    await job.wait(40_000);
    expect((await job.view()).progress!.quietSeconds).toBe(40);
    const happened = happens(job);
    await job.wait(10);
    await happened;
    expect((await job.view()).progress!.quietSeconds).toBe(0);
  });
});

describe('the last round', () => {
  it('is unknown before the first round, then read from the manifest', async () => {
    const { node, clock, view, commits } = await running();
    await commits();
    expect((await view()).progress!.reward).toBeUndefined();
    await commits(1, updateRow({ reward_mean: 0, staleness_mean: 0.5, loss: 2 }));
    const known = { round: 1, reward: 0, staleness: 0.5, statistics: { loss: 2 } };
    expect((await view()).progress).toMatchObject(known);
    const { record } = node.jobs.get('a')!;
    expect((await clock.run(new JobViews(node, everyRole, new BudgetBook(node)).view(record))).progress).toMatchObject(known);
  });
});

describe('what views cost', () => {
  it('is a watch of jobs that run, and nothing for those that wait, are paused or have ended', async () => {
    const nodes = new MemoryNodes('/nowhere');
    const { clock } = nodes;
    const node = await clock.run(nodes.node('coordinator'));
    let watches = 0;
    let reads = 0;
    const weights = Object.create(node.weights, {
      watch: {
        value: async (...given: Parameters<typeof node.weights.watch>) => {
          const stop = await node.weights.watch(...given);
          watches += 1;
          return () => {
            watches -= 1;
            stop();
          };
        },
      },
      latest: {
        value: (job: string) => {
          reads += 1;
          return node.weights.latest(job);
        },
      },
    }) as typeof node.weights;
    const views = new JobViews({ ...node, weights }, everyRole, new BudgetBook(node));
    const viewAll = (): Promise<unknown> =>
      clock.run(Promise.all(node.jobs.list().map(async ({ record }) => expect((await views.view(record)).id).toBe(record.id))));
    for (let i = 0; i < 20; i += 1)
      await clock.run(node.jobs.create(createJobRecord({ id: `job-${i}`, config: thermostatJob([]), now: i })));
    await viewAll();
    expect({ watches, reads }).toEqual({ watches: 0, reads: 0 });
    const move = (id: string, to: JobStateName): Promise<unknown> =>
      clock.run(node.jobs.update(id, (record) => transition(record, to, { now: 0 })));
    const stale = node.jobs.get('job-1')!;
    for (const id of ['job-1', 'job-2', 'job-3']) await move(id, 'RUNNING');
    const { record: running } = node.jobs.get('job-1')!;
    await viewAll();
    expect({ watches, reads }).toEqual({ watches: 3, reads: 3 });
    await viewAll();
    expect({ watches, reads }).toEqual({ watches: 3, reads: 3 });
    await move('job-1', 'PAUSED');
    await move('job-2', 'SUCCEEDED');
    expect(watches).toBe(1);
    // Records that were read before the change leave no watch behind either.
    for (const record of [stale.record, running]) await clock.run(views.view(record));
    await viewAll();
    expect(watches).toBe(1);
    await move('job-1', 'QUEUED');
    await move('job-1', 'RUNNING');
    await viewAll();
    expect(watches).toBe(2);
    views.close();
    expect(watches).toBe(0);
  });
});
