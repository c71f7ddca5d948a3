import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { simulatedJobs } from './job.ts';

it('gives the flows of simulated jobs a clock that stands still', async () => {
  const { jobs } = await simulatedJobs();
  for (const { config, runtimes } of jobs) {
    const { clock } = await runtimes.get({ id: 'job', config, code: undefined });
    const before = clock.monotonic();
    await sleep(2);
    expect(clock.monotonic()).toBe(before);
  }
});
