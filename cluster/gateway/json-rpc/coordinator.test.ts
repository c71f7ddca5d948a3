import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../../src/rpc/server.ts';
import { MemoryBackend } from '../../admin/memory-backend.ts';
import { adminService } from '../../admin/service.ts';
import { coordinatorClient } from './coordinator.ts';

/** Where nothing listens. */
const DEAD = '127.0.0.1:1';
let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ services: [{ ...adminService(new MemoryBackend()), token: 'secret' }] });
});
afterAll(() => server.stop(100));

it('calls another coordinator once one does not answer, and goes back to it where no other is known', async () => {
  let known = [DEAD, server.address];
  const coordinator = coordinatorClient(() => Promise.resolve(known), { token: 'secret' });
  const call = (): Promise<unknown> => coordinator.call((admin) => admin.listJobs({}, { timeoutMs: 2000 }));
  try {
    await expect(call()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(call()).resolves.toMatchObject({ jobs: [] });
    // The one that is used stays, whatever else is there.
    known = [DEAD];
    await expect(call()).resolves.toMatchObject({ jobs: [] });
  } finally {
    coordinator.close();
  }
  const lonely = coordinatorClient(() => Promise.resolve(known), { token: 'secret' });
  const lost = (): Promise<unknown> => lonely.call((admin) => admin.listJobs({}, { timeoutMs: 2000 }));
  await expect(lost()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(lost()).rejects.toThrow(/127\.0\.0\.1:1/);
  known = [];
  await expect(lost()).rejects.toThrow(/No coordinator is there/);
  lonely.close();
});
