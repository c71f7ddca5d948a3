import { expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { createJobRecord } from '../../src/jobs/record.ts';
import { LEASES } from '../../src/protocol/names.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { JobLeases } from './job-leases.ts';

it('does not take a job again before its actor has ended', async () => {
  const nodes = new MemoryNodes('/nowhere');
  const { clock } = nodes;
  const node = await clock.run(nodes.node('coordinator'));
  await clock.run(node.jobs.create(createJobRecord({ id: 'a', config: thermostatJob([]), now: 0 })));
  const leases = new JobLeases<string>(node, 'job');
  let begun = 0;
  const take = (): Promise<void> =>
    clock.run(
      leases.acquire('a', () => {
        begun += 1;
        // What it waits for answers later than a stop waits, as NATS does when it was cut off.
        return Promise.resolve(node.actors.spawn<string>('coordinator', 'a', { receive: () => clock.sleep(12_000) }));
      }),
    );

  await take();
  const first = leases.get('a')!;
  first.tell('work');
  await clock.run(clock.sleep(0));
  // The lease is lost: nothing else is in the way of the next one.
  await clock.run(node.bus.kv(LEASES).delete('job.a'));
  await clock.run(leases.release('a'));
  await take();
  expect({ begun, held: leases.get('a'), state: node.jobs.get('a')?.record.state }).toEqual({
    begun: 1,
    held: undefined,
    state: 'QUEUED',
  });

  await clock.run(first.ended);
  await clock.run(clock.sleep(0));
  await take();
  expect(begun).toBe(2);
  expect(leases.get('a')).not.toBe(first);
});
