import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { acquireLease } from '../../src/protocol/lease.ts';
import { checkpointExists } from '../../src/checkpoint/load.ts';
import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import { emptyLedger, end } from '../../src/jobs/ledger.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { checkpointPath } from '../../src/checkpoint/paths.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import { findCheckpoint } from '../jobs/checkpoints.ts';
import { madeAnew, RoundCommitter } from './round-committer.ts';
import type { TrainerJob } from './trainer-job.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let nodes: MemoryNodes;
let job: TrainerJob;
beforeEach(async () => {
  folder = await temporaryFolder();
  nodes = new MemoryNodes(folder.path);
  const context = await nodes.clock.run(nodes.node('parameter-server'));
  const config = thermostatJob(['rounds=40', 'evaluation.every=4', 'rollout.maxStaleness=0']);
  const record = transition(createJobRecord({ id: 'a', config, now: 1 }), 'RUNNING', { now: 2 });
  await nodes.clock.run(context.jobs.create(record));
  const runtime = await nodes.clock.run(context.runtimes.get(record));
  const lease = (await nodes.clock.run(acquireLease(context, 'trainer.a', { owner: 'parameter-server' })))!;
  job = { context, runtime, lease, record };
});
afterEach(async () => {
  await nodes.clock.run(job.lease.release());
  await folder.remove();
});

const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
const ledgerOf = (groups: number): Ledger =>
  Array.from({ length: groups }).reduce<Ledger>((ledger, _, sequence) => end(ledger, sequence, 'trained', 2), emptyLedger());
const commit = (committer: RoundCommitter, version: number): Promise<void> =>
  run(committer.commit({ version, ledger: ledgerOf(version), roundSeconds: 1.5, updateRow: () => Uint8Array.of(version) }));
const latest = async () => (await run(job.context.weights.latest('a')))!;
const restored = async (): Promise<RoundCommitter> => {
  const committer = new RoundCommitter(job);
  await run(committer.restore());
  return committer;
};

describe('RoundCommitter', () => {
  it('commits version 0 of a new job, and goes on from what is committed', async () => {
    const first = new RoundCommitter(job);
    expect(await run(first.restore())).toBe(false);
    expect((await latest()).manifest).toMatchObject({ version: 0, fence: BigInt(job.lease.token), trainSeconds: 0 });
    first.master.parameters.values[0] = 42;
    await commit(first, 1);
    await run(first.amend(end(first.ledger, 1, 'expired')));

    const second = new RoundCommitter(job);
    expect(await run(second.restore())).toBe(true);
    expect(second.master.parameters.values[0]).toBe(42);
    expect(second.manifest).toMatchObject({ version: 1, trainSeconds: 1.5, updateRow: Uint8Array.of(1) });
    expect(second.ledger).toMatchObject({ trained: 1n, expired: 1n, frontier: 2n });
    await commit(second, 2);
    expect((await latest()).manifest).toMatchObject({ version: 2, trainSeconds: 3 });
  });

  it('keeps an average of the weights and restores it', async () => {
    const first = new RoundCommitter(job);
    await run(first.restore());
    expect((await latest()).manifest.average).toBeUndefined();
    for (const [version, value] of [
      [1, 12],
      [2, 0],
    ] as const) {
      first.master.parameters.values[0] = value;
      await commit(first, version);
    }
    // Begun with version 1; the decay of version 2 is 3/12.
    expect(first.master.average![0]).toBe(3);
    const second = await restored();
    expect([second.master.parameters.values[0], second.master.average![0]]).toEqual([0, 3]);
    for (const committer of [first, second]) committer.master.parameters.values[0] = 15;
    await commit(second, 3);
    expect(second.master.average![0]).toBeCloseTo(15 - (12 * 4) / 13, 5);
    const { manifest } = await latest();
    const average = await run(job.context.weights.fetch(manifest, 'average'));
    expect(new DataView(average.buffer, average.byteOffset).getFloat32(0, true)).toBe(second.master.average![0]);
  });

  it('puts the average into checkpoints, beside the weights that training goes on from', async () => {
    const committer = await restored();
    for (const version of [1, 2, 3, 4]) {
      committer.master.parameters.values[0] = version * version;
      await commit(committer, version);
    }
    const { record } = (await run(job.context.jobs.fetch('a')))!;
    const { checkpoint } = await run(findCheckpoint(job.context, record, { version: 4, kinds: builtInKinds }));
    expect(checkpoint.trained![0]).toBe(16);
    expect(checkpoint.parameters.values[0]).toBe(committer.master.average![0]);
    expect(committer.master.average![0]).toBeLessThan(16);
  });

  it('is refused once another trainer has committed', async () => {
    const [first, second] = [await restored(), await restored()];
    await commit(second, 1);
    await expect(commit(first, 1)).rejects.toMatchObject({ code: expect.stringMatching(/aborted|already_exists/) });
    await expect(run(first.amend(ledgerOf(1)))).rejects.toThrow();
    expect(first.manifest.version).toBe(0);
  });

  it('does not begin anew where a job that has sent requests has no version', async () => {
    job.record = { ...job.record, accepted: 3 };
    await expect(restored()).rejects.toMatchObject({ code: 'failed_precondition' });
  });

  it('writes a checkpoint of evaluated versions, and goes on without it where the disk refuses', async () => {
    const committer = await restored();
    for (const version of [1, 2, 3, 4]) await commit(committer, version);
    const exists = (version: number) => run(nodes.clock.hold(checkpointExists(checkpointPath(folder.path, 'a', version))));
    expect([await exists(3), await exists(4), committer.checkpointProblem]).toEqual([false, true, undefined]);
    const record = async () => (await run(job.context.jobs.fetch('a')))!.record;
    expect((await record()).checkpoints.map(({ version }) => version)).toEqual([4]);
    expect((await record()).checkpoint).toBe(checkpointPath(folder.path, 'a', 4));
    const refuses = new RoundCommitter({ ...job, context: { ...job.context, stateDir: '/dev/null' } });
    await run(refuses.restore());
    for (const version of [5, 6, 7, 8]) await commit(refuses, version);
    expect((await latest()).manifest.version).toBe(8);
    expect(refuses.checkpointProblem).toMatch(/training goes on without it$/);
  });

  it('writes one every checkpoint.every rounds, while the job is paused, and of the version at which it was paused', async () => {
    const config = thermostatJob(['rounds=40', 'evaluation.every=0', 'checkpoint.every=3']);
    job.record = (await run(job.context.jobs.update('a', (record) => ({ ...record, config })))).record;
    const committer = await restored();
    const pause = async () => {
      job.record = (await run(job.context.jobs.update('a', (record) => transition(record, 'PAUSED', { now: 3 })))).record;
    };
    const resume = async () => {
      const queued = (record: JobRecord): JobRecord => transition(record, 'QUEUED', { now: 4 });
      const goesOn = (record: JobRecord): JobRecord => transition(queued(record), 'RUNNING', { now: 4 });
      job.record = (await run(job.context.jobs.update('a', goesOn))).record;
    };
    const versions = async () => (await run(job.context.jobs.fetch('a')))!.record.checkpoints.map(({ version }) => version);
    for (const version of [1, 2, 3, 4]) await commit(committer, version);
    expect(await versions()).toEqual([3]);
    await pause();
    expect(job.record.checkpointDue).toBe(true);
    await run(committer.saveAtPause());
    expect(await versions()).toEqual([3, 4]);
    expect((await run(job.context.jobs.fetch('a')))!.record.checkpointDue).toBeUndefined();
    // A round that was complete ends during the pause.
    await commit(committer, 5);
    expect(await versions()).toEqual([3, 4, 5]);
    await resume();
    await commit(committer, 6);
    await pause();
    const written = vi.spyOn(job.context.artifacts, 'put');
    await run(committer.saveAtPause());
    expect(written).not.toHaveBeenCalled();
    const { checkpoints } = (await run(job.context.jobs.fetch('a')))!.record;
    const found = await run(findCheckpoint(job.context, { id: 'a', checkpoints }, { version: 5, kinds: builtInKinds }));
    expect(found.checkpoint).toMatchObject({
      training: { version: 5, trainSeconds: 7.5, ledger: { trained: 5n, frontier: 5n } },
    });
    expect(found.checkpoint.optimizer?.m).toHaveLength(committer.master.parameters.values.length);
  });

  it('publishes its version again after the streams were emptied', async () => {
    const committer = await restored();
    await commit(committer, 1);
    await run(job.context.bus.purge('WEIGHTS', 'weights.a.>'));
    await expect(run(job.context.weights.fetch((await latest()).manifest, 'weights'))).rejects.toThrow();
    await run(committer.publishAgain());
    expect(await run(job.context.weights.fetch((await latest()).manifest, 'weights'))).toHaveLength(
      committer.master.weightBytes.length,
    );
    await commit(committer, 2);
  });

  it('drops old weights but those of evaluations', async () => {
    const committer = await restored();
    const drop = vi.spyOn(job.context.weights, 'drop').mockResolvedValue(undefined);
    for (let version = 1; version <= 8; version += 1) {
      await commit(committer, version);
      committer.dropOld();
    }
    expect(drop.mock.calls.map(([, version]) => version)).toEqual([1, 2, 3, 5]);
  });
});

it('madeAnew names the streams whose incarnation changed', () => {
  const before: JobRecord['streams'] = { WEIGHTS: '1', EVENTS: '1' };
  const names = (now: JobRecord['streams']): string[] => ['WEIGHTS', 'EVENTS', 'policies'].filter(madeAnew(before, now));
  expect(names({ WEIGHTS: '1', EVENTS: '2', policies: '1' })).toEqual(['EVENTS']);
  expect(names(undefined)).toEqual(['WEIGHTS', 'EVENTS']);
  expect(['WEIGHTS'].filter(madeAnew(undefined, before))).toEqual([]);
});
