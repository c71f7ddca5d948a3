import { expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { silentLogger } from '../telemetry/log.ts';
import { encodeRows } from '../records/encode.ts';
import type { Item } from './batch.ts';
import { Batcher } from './batcher.ts';
import { stepRow } from './fixtures.ts';
import { MemoryStore } from './memory-store.ts';

const rows = encodeRows('steps', [stepRow()]);
const itemOf = (job: string): Item => ({
  id: `scored.${job}|1`,
  job,
  blocks: { steps: rows },
  rows: 1,
  bytes: rows.length,
  heldBytes: 0,
});

/** How long the first item waits when one item of each of so many jobs comes at once. */
async function waitOf(jobs: number): Promise<number> {
  const clock = new VirtualClock();
  const limits = { maxDelayMs: 1000 };
  const batcher = new Batcher({ store: new MemoryStore(), clock, log: silentLogger(), uniform: () => 0.5, limits });
  const begun = clock.monotonic();
  const fates = Array.from({ length: jobs }, (_, i) => batcher.add(itemOf(`job-${i}`)));
  expect(await clock.run(Promise.all(fates))).toEqual(Array.from({ length: jobs }, () => ({ kind: 'stored' })));
  expect(batcher.stats().batches).toBe(1);
  await clock.run(batcher.close());
  return clock.monotonic() - begun;
}

it('waits longer for a batch of many jobs, whose rows lie apart, up to a bound', async () => {
  const waits = [];
  for (const jobs of [1, 20, 60, 1000]) waits.push(Math.round((await waitOf(jobs)) / 1000));
  expect(waits).toEqual([1, 1, 3, 5]);
});
