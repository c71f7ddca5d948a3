import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { acquireLease } from '../../src/protocol/lease.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { NO_PLACES } from '../../src/jobs/scheduler/places.ts';
import { PlaceList } from './scheduler/place-list.ts';
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
  const places = new PlaceList(context.bus);
  await run(places.ready());
  await run(places.replace({ ...NO_PLACES, tickets: 1, admitted: { a: { ticket: 1, since: 1 } }, places: 1 }, 0));
  const job = new CoordinatedJob(context, {
    lease,
    entry: (await run(context.jobs.fetch('a')))!,
    places,
  });
  return { nodes, run, context, job, release: () => run(lease.release()) };
}
