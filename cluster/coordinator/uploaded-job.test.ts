import { expect, it } from 'vitest';
import { thermostatJob } from '../../test/support/thermostat.ts';
import type { UnpackedBundle } from '../../src/flow/bundle/bundle.ts';
import type { JobBundles } from '../jobs/bundles.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { UploadedJobs } from './uploaded-job.ts';

it('loads a bundle once for jobs that differ in name and rounds alone, and looks each time whether it is there', async () => {
  const config = thermostatJob();
  let isThere = true;
  const bundles = {
    has: () => Promise.resolve(isThere),
    open: () =>
      Promise.resolve({ flow: config.flow, source: config.flow, folder: '/bundle', rewards: [] } as unknown as UnpackedBundle),
  } as unknown as JobBundles;
  const jobs = new UploadedJobs({ ...REAL_PORTS, bundles });
  const load = async (change: Partial<typeof config>) =>
    (await jobs.load({ config: { ...config, ...change }, digest: 'd'.repeat(64) })).runtime;
  const first = await load({});
  expect(await load({ name: 'other', rounds: 7 })).toBe(first);
  expect(await load({ seed: 9 })).not.toBe(first);
  isThere = false;
  await expect(load({})).rejects.toMatchObject({ code: 'not_found', field: 'bundle_digest' });
});
