import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import type { MemoryBus } from '../src/bus/memory/memory-bus.ts';
import { PART_HEADERS } from '../src/protocol/headers.ts';
import { PARTS } from '../src/protocol/names.ts';
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
  expect({ used: Number(trained + filtered), failed: Number(failed) }).toEqual({ used: 4, failed: 0 });
  expect(most).toBeGreaterThan(PART_BYTES);
});

it('groups whose parts are gone end as failed, and the job goes on', async () => {
  const folder = await temporaryFolder();
  const { config } = loadJobConfig(fileURLToPath(new URL('./flows/bulky.yaml', import.meta.url)));
  let bus: MemoryBus | undefined;
  let deleted = 0;
  const { job } = await runSerial(config, {
    stateDir: folder.path,
    prepare: async (own) => {
      bus = own;
      // Every role has a connection of its own to this server.
      const { server } = own;
      const publish = server.publish.bind(server);
      server.publish = (subject, data, options) => {
        const key = options.headers?.[PART_HEADERS.key];
        if (subject.endsWith('.train') && deleted === 0 && key !== undefined)
          deleted = server.stream(PARTS).purge(`part.*.${key}.*`);
        return publish(subject, data, options);
      };
    },
  });
  await folder.remove();
  expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
  expect(deleted).toBeGreaterThan(0);
  expect(Number(job.progress!.ledger!.failed)).toBe(1);
  expect((await bus!.streamState('SCORED')).messages).toBe(0);
});
