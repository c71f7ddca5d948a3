import { systemClock } from '../../src/clock/system.ts';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdminService, GetStoreStatsResponseSchema, PruneStoreRequestSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { MillraceError } from '../../src/errors.ts';
import type { PruneOptions } from '../../src/store/maintenance.ts';
import type { NodeList } from '../runtime/nodes.ts';
import { storeService, type LocalCare } from '../store/service.ts';
import { remoteCare } from './remote-store.ts';
import type { TrajectoryTransfer } from './export.ts';
import { statsText } from '../cli/store-view.ts';
import { MemoryBackend } from './memory-backend.ts';
import { adminService } from './service.ts';
import { checkPrune } from './store-care.ts';

/** A store that only says what it was asked. */
class FakeStore implements LocalCare {
  readonly asked: PruneOptions[] = [];

  stats(): ReturnType<LocalCare['stats']> {
    const empty = { rows: 0, diskBytes: 0, compressedBytes: 0, rawBytes: 0, parts: 0, oldest: 0, newest: 0 };
    return Promise.resolve({
      tables: [
        {
          ...empty,
          table: 'steps',
          rows: 12,
          diskBytes: 5e12,
          rawBytes: 120,
          parts: 1,
          oldest: 1_767_225_600_500,
          newest: 1_767_225_601_000,
        },
        { ...empty, table: 'updates' },
      ],
      jobs: [{ job: 'a', trajectories: 2, steps: 12, diskBytes: 99, bytesPerStep: 7.5, oldest: 1000, newest: 2000, ended: true }],
      detached: [
        { table: 'steps', part: 'p', job: 'a', rows: 28_000, diskBytes: 7, reason: 'broken-on-start', path: '/x' },
        { table: 'updates', part: 'q', job: '', rows: undefined, diskBytes: 7, reason: 'broken', path: '/y' },
      ],
    });
  }

  prune(options: PruneOptions): ReturnType<LocalCare['prune']> {
    this.asked.push(options);
    if (options.job === 'open')
      return Promise.reject(new MillraceError('failed_precondition', 'Job "open" has not ended.', { field: 'job' }));
    return Promise.resolve([{ job: 'a', trajectories: 2, steps: 12, bytes: 99, whole: true }]);
  }
}

describe('the care of the store', () => {
  const store = new FakeStore();
  const nobody = (): Promise<never> => Promise.reject(new Error('not asked here'));
  const servers: RunningServer[] = [];
  let nodes: NodeList;
  let admin: ServiceClient<typeof AdminService>;
  const backend = new MemoryBackend();

  beforeAll(async () => {
    const service = storeService(nobody, {} as TrajectoryTransfer, { clock: systemClock, care: store });
    servers.push(await startServer({ services: [service], token: 'secret' }));
    nodes = { withRole: () => [{ address: servers[0]!.address }] } as unknown as NodeList;
    servers.push(await startServer({ services: [adminService(backend)] }));
    admin = createClient(AdminService, servers[1]!.address);
  });
  afterAll(async () => {
    admin.close();
    for (const server of servers) await server.stop(500);
  });

  it('asks the store node for its sizes', async () => {
    const stats = create(GetStoreStatsResponseSchema, await remoteCare(nodes, { token: 'secret' }).getStoreStats());
    const { tables, jobs, detached } = stats;
    expect(tables).toMatchObject([
      {
        name: 'steps',
        rows: 12n,
        diskBytes: 5_000_000_000_000n,
        rawBytes: 120n,
        oldestTime: { seconds: 1_767_225_600n, nanos: 5e8 },
      },
      { name: 'updates', rows: 0n },
    ]);
    expect(tables[1]!.newestTime).toBeUndefined();
    expect(jobs).toMatchObject([{ id: 'a', trajectories: 2n, steps: 12n, diskBytes: 99n, bytesPerStep: 7.5, ended: true }]);
    expect(detached).toMatchObject([
      { table: 'steps', part: 'p', jobId: 'a', rows: 28_000n, diskBytes: 7n, reason: 'broken-on-start', path: '/x' },
      { table: 'updates', jobId: '' },
    ]);
    expect(detached[1]!.rows).toBeUndefined();
    const [, missing] = statsText(stats).split('MISSING: these parts were set aside, and their rows are in no answer\n');
    expect(missing!.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^steps +a +28000 .* broken-on-start +p$/),
      expect.stringMatching(/^updates +unknown .* broken +q$/),
      '',
    ]);
    expect(statsText(create(GetStoreStatsResponseSchema, { tables }))).not.toContain('MISSING');
    await expect(remoteCare(nodes, { token: 'wrong' }).getStoreStats()).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('asks another store node where one does not answer', async () => {
    const some = { withRole: () => [{ address: '127.0.0.1:1' }, { address: servers[0]!.address }] } as unknown as NodeList;
    expect((await remoteCare(some, { token: 'secret' }).getStoreStats()).jobs).toHaveLength(1);
    const dead = { withRole: () => [{ address: '127.0.0.1:1' }] } as unknown as NodeList;
    await expect(remoteCare(dead, { token: 'secret' }).getStoreStats()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('has the store node prune, and tells it which jobs run', async () => {
    const request = create(PruneStoreRequestSchema, { olderThan: { seconds: 3600n }, jobId: 'a', dryRun: true });
    const { jobs } = await remoteCare(nodes, { token: 'secret' }).pruneStore(request, ['b']);
    expect(jobs).toMatchObject([{ id: 'a', trajectories: 2n, steps: 12n, bytes: 99n, whole: true }]);
    const [asked] = store.asked;
    expect(asked).toMatchObject({ job: 'a', running: ['b'], dryRun: true });
    expect(Math.abs(Date.now() - 3_600_000 - asked!.before)).toBeLessThan(30_000);
    const open = create(PruneStoreRequestSchema, { olderThan: { seconds: 1n }, jobId: 'open' });
    await expect(remoteCare(nodes, { token: 'secret' }).pruneStore(open, [])).rejects.toMatchObject({
      code: 'failed_precondition',
    });
    const none = { withRole: () => [] } as unknown as NodeList;
    await expect(remoteCare(none).getStoreStats()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is offered by the admin API, which checks what it is asked', async () => {
    expect((await admin.getStoreStats({})).tables).toEqual([]);
    await admin.pruneStore({ olderThan: { seconds: 60n }, jobId: 'a' });
    expect(backend.prunes).toMatchObject([{ jobId: 'a', dryRun: false }]);
    await expect(admin.pruneStore({})).rejects.toMatchObject({ code: 'invalid_argument', field: 'older_than' });
    await expect(admin.pruneStore({ olderThan: { seconds: 60n }, jobId: 'A b' })).rejects.toMatchObject({ field: 'job_id' });
    expect(() => checkPrune(create(PruneStoreRequestSchema, { olderThan: { nanos: 5 } }))).toThrow('at least one second');
  });
});
