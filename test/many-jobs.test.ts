import { afterAll, beforeAll, expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { checkLedger } from '../src/jobs/ledger.ts';
import { encodeJobRecord } from '../src/jobs/record-codec.ts';
import { createJobRecord } from '../src/jobs/record.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

it('twelve jobs run at the same time, all to their end, and none waits for another to finish', async () => {
  const config = thermostatJob(['rounds=3', 'rollout.groupsPerRound=4', 'rollout.groupSize=4', 'evaluation.every=3']);
  const others = Array.from({ length: 11 }, (_, i) => `job-${i + 1}`);
  const left = [...others];
  const { jobs } = await runSerial(config, {
    stateDir: folder.path,
    rollouts: 2,
    prepare: async (bus) => {
      for (const [i, id] of others.entries()) {
        const record = createJobRecord({ id, config: { ...config, seed: i }, now: i, owner: `owner-${i % 3}` });
        await bus.kv('jobs').create(id, encodeJobRecord(record));
      }
    },
    onEnd: () => Promise.resolve(left.shift()),
  });
  expect(jobs).toHaveLength(12);
  for (const { id, state, error, progress } of jobs) {
    expect({ id, state: JobState[state], error }).toEqual({ id, state: 'SUCCEEDED', error: '' });
    checkLedger(progress!.ledger!, progress!.requests);
  }
  // The last one began before the first one ended.
  const seconds = (time: { seconds: bigint; nanos: number } | undefined): number => Number(time!.seconds) + time!.nanos / 1e9;
  expect(Math.max(...jobs.map(({ startTime }) => seconds(startTime)))).toBeLessThanOrEqual(
    Math.min(...jobs.map(({ endTime }) => seconds(endTime))),
  );
});
