import { expect, it } from 'vitest';
import { VirtualClock } from '../../../src/clock/virtual.ts';
import { MemoryFiles } from '../../../src/files/memory-files.ts';
import { withAdapter } from '../../../src/jobs/adapters/registry.ts';
import { memoryBus } from '../../../src/protocol/memory.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { agentDirectory } from '../../jobs/agents.ts';
import { keepRegistryFile } from './registry-file.ts';

it('is written anew after every change, in one step, and says what is live', async () => {
  const clock = new VirtualClock();
  const bus = memoryBus({ clock });
  const files = new MemoryFiles({ clock });
  const agents = agentDirectory({ bus, clock });
  const stop = await keepRegistryFile({ bus, clock, files, log: silentLogger(), stateDir: '/state' });
  const path = '/state/adapters/adapter_registry.json';
  const read = async (): Promise<unknown> =>
    JSON.parse(
      await files.read(path).then(
        (bytes) => Buffer.from(bytes).toString(),
        () => 'null',
      ),
    ) as unknown;
  await agents.register({ name: 'heating', bundle: 'b'.repeat(64), flow: 'thermostat', takesQueries: false, owner: 'ana' });
  const validation = { tasks: 9, success: 1, low: 0.7, high: 1, meanReward: 1, meanSteps: 4 };
  const adapter = { name: 'job@2', job: 'job', version: 2, checkpoint: 'c'.repeat(64), parent: '', owner: 'ana' };
  await agents.update('heating', (agent) => ({
    ...withAdapter(agent, { ...adapter, validation, publishedAt: 0, updatedAt: 1000 }, true),
    servedVersion: 'job@2',
  }));
  await expect.poll(read).toMatchObject({
    format: 1,
    agents: { heating: { live: 'job@2', experiment: '' } },
    adapters: [
      {
        ...{ agent: 'heating', flow: 'thermostat', version: 'job@2', policy_version: 2, status: 'live', code_digest: '' },
        metrics: { validation: { tasks: 9, success: 1, mean_steps: 4 } },
        updated_at: '1970-01-01T00:00:01.000Z',
      },
    ],
  });
  expect(await files.list('/state/adapters')).toEqual(['adapter_registry.json']);
  await agents.update('heating', (agent) => ({ ...agent, experiment: 'autumn' }));
  await expect.poll(read).toMatchObject({ agents: { heating: { experiment: 'autumn' } } });
  await stop();
});
