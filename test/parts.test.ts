import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import type { MemoryBus } from '../src/bus/memory/memory-bus.ts';
import { PART_BYTES } from '../src/protocol/parts.ts';
import { temporaryFolder } from './support/thermostat.ts';

it('groups of several megabytes travel in parts and train', async () => {
  const folder = await temporaryFolder();
  const { config } = loadJobConfig(fileURLToPath(new URL('./flows/bulky.yaml', import.meta.url)));
  let bus: MemoryBus | undefined;
  let most = 0;
  const { job, version } = await runSerial(config, {
    stateDir: folder.path,
    prepare: async (own) => void (bus = own),
    // A group of 24 has 1.4 MB of answers, and more of experience.
    pauseLearners: async () => {
      most = Math.max(most, (await bus!.streamState('PARTS')).bytes);
      return false;
    },
  });
  await folder.remove();
  expect([job.state, job.error, version]).toEqual([JobState.SUCCEEDED, '', config.rounds]);
  const { trained, filtered, failed } = job.progress!.ledger!;
  expect({ used: Number(trained + filtered), failed: Number(failed) }).toEqual({ used: 6, failed: 0 });
  expect(most).toBeGreaterThan(PART_BYTES);
});
