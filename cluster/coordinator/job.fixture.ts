import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { acquireLease } from '../../src/protocol/lease.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { CoordinatedJob } from './coordinated-job.ts';

/** A job of a coordinator on virtual time, without the actor. */
export async function coordinatedJob(stateDir: string, change: (record: JobRecord) => JobRecord = (record) => record) {
  const nodes = new MemoryNodes(stateDir);
  const run = <T>(work: Promise<T>): Promise<T> => nodes.clock.run(work);
  const context = await run(nodes.node('coordinator'));
  const config = thermostatJob(['rounds=4', 'rollout.groupsPerRound=4']);
  const running = transition(createJobRecord({ id: 'a', config, now: 1 }), 'RUNNING', { now: 2 });
  await run(context.jobs.create(change(running)));
  const lease = (await run(acquireLease(context, 'job.a', { owner: 'coordinator' })))!;
  const job = new CoordinatedJob(context, lease, (await run(context.jobs.fetch('a')))!);
  return { nodes, run, context, job, release: () => run(lease.release()) };
}
