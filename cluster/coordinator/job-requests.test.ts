import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { RolloutRequestSchema, ScoredGroupSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { trainerDurable } from '../../src/protocol/durables.ts';
import { transition } from '../../src/jobs/record.ts';
import { SharedLooks } from './shared-looks.ts';
import { BudgetBook } from './budget-book.ts';
import { JobGates } from './job-gates.ts';
import { coordinatedJob } from './job.fixture.ts';
import { JobRequests } from './job-requests.ts';
import { RequestSender } from './request-sender.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const { signal } = new AbortController();
const train = ['one', 'two', 'three'].map((id) => ({ id, json: `"${id}"` }));
const tasks = { train, validation: [], test: [], hasRule: false, taskFor: (sequence: number) => train[sequence % 3]! };

async function requesting() {
  const kept = await coordinatedJob(folder.path);
  const { job, context, run } = kept;
  job.machine.committed(create(WeightManifestSchema, { job: 'a', version: 2 }));
  const requests = new JobRequests(job, new RequestSender(context, 'a', { onSent: () => {}, onFull: () => {} }), tasks);
  const queued = (): Promise<RolloutRequest[]> =>
    run(
      (async () => {
        const found: RolloutRequest[] = [];
        for await (const { data } of context.bus.read('ROLLOUTS', 'rollout.a'))
          found.push(fromBinary(RolloutRequestSchema, data));
        return found.sort((a, b) => Number(a.sequence - b.sequence));
      })(),
    );
  return { ...kept, requests, queued };
}

describe('JobRequests', () => {
  it('writes new requests into the record before it sends them', async () => {
    const { requests, queued, run, context, job, release } = await requesting();
    expect(await run(requests.admit([0, 1, 2]))).toBe(true);
    expect((await run(context.jobs.fetch('a')))!.record.accepted).toBe(3);
    expect(await queued()).toEqual([]);
    expect(await run(requests.send([0, 1, 2], signal))).toBe(true);
    expect(
      (await queued()).map(({ sequence, taskId, policyVersion, fence }) => [sequence, taskId, policyVersion, fence]),
    ).toEqual([
      [0n, 'one', 2, BigInt(job.lease.token)],
      [1n, 'two', 2, BigInt(job.lease.token)],
      [2n, 'three', 2, BigInt(job.lease.token)],
    ]);
    await release();
  });

  it('takes back nothing that another coordinator has accepted, and sees to it that it is sent', async () => {
    const { requests, run, context, release } = await requesting();
    await run(context.jobs.update('a', (record) => ({ ...record, accepted: 5 })));
    expect(await run(requests.admit([0, 1, 2]))).toBe(false);
    expect((await run(context.jobs.fetch('a')))!.record.accepted).toBe(5);
    await release();
  });

  it('accepts nothing once the job is paused', async () => {
    const { requests, queued, run, context, release } = await requesting();
    await run(context.jobs.update('a', (record) => transition(record, 'PAUSED', { now: 3 })));
    expect(await run(requests.admit([0, 1, 2]))).toBe(false);
    expect((await run(context.jobs.fetch('a')))!.record.accepted).toBe(0);
    expect(await queued()).toEqual([]);
    await release();
  });

  it('does not send a request again whose scored group waits for its round', async () => {
    const { requests, queued, run, context, job, release } = await requesting();
    const { bus } = context;
    await run(bus.ensureDurable(trainerDurable('a', job.record.config)));
    const scored = toBinary(
      ScoredGroupSchema,
      create(ScoredGroupSchema, { request: { id: 'a:0:two:0', job: 'a', sequence: 1n } }),
    );
    await run(bus.publish('scored.a.train', scored, { id: 'a:0:two:0' }));
    await run(bus.publish('scored.a.train', Buffer.from('no group'), { id: 'garbage' }));
    await run(job.updateOpen((record) => ({ ...record, accepted: 3 })));
    const gates = new JobGates(job, { looks: new SharedLooks(job.context), budgets: new BudgetBook(job.context) });
    expect(await run(requests.sendOpen([0, 1, 2], gates, signal))).toBe(true);
    expect((await queued()).map(({ sequence }) => sequence)).toEqual([0n, 2n]);
    await release();
  });

  it('sends open requests again without doubling them, and leaves those that are held', async () => {
    const { requests, queued, run, job, release } = await requesting();
    await run(requests.admit([0, 1]));
    await run(requests.send([0, 1], signal));
    await run(job.updateOpen((record) => ({ ...record, accepted: 4 })));
    const gates = new JobGates(job, { looks: new SharedLooks(job.context), budgets: new BudgetBook(job.context) });
    gates.holdsSequence = (sequence) => sequence === 2;
    expect(await run(requests.sendOpen([0, 1, 2, 3], gates, signal))).toBe(true);
    expect((await queued()).map(({ sequence }) => sequence)).toEqual([0n, 1n, 3n]);
    await release();
  });

  it('accepts and sends nothing for a job that has ended', async () => {
    const { requests, queued, run, context, job, release } = await requesting();
    await run(context.jobs.update('a', (record) => transition(record, 'CANCELLED', { now: 3 })));
    await run(context.clock.sleep(100));
    expect(await run(requests.admit([0, 1]))).toBe(false);
    expect([job.record.accepted, await queued()]).toEqual([0, []]);
    await release();
  });
});
