import type { SchedulerConfig } from '../../../src/config/scheduler.ts';
import { jobRecordSchema, type JobRecord } from '../../../src/jobs/record.ts';
import { decodePlaces } from '../../../src/jobs/scheduler/places.ts';
import { JOBS, SCHEDULER } from '../../../src/protocol/names.ts';
import type { Check, Fail } from './check.ts';
import type { Sometimes } from './sometimes.ts';

/**
 * Never more jobs run than there are places, nor more of an owner than it may have; a job loses its place only to one of a higher
 * priority, or to another owner's. That none waits for ever, `liveness` says.
 */
export function placeCheck(
  { maxRunning, owners }: Pick<SchedulerConfig, 'maxRunning' | 'owners'>,
  saw: (state: Sometimes) => void,
  fail: Fail,
): Check {
  const limit = maxRunning === 'auto' ? Infinity : maxRunning;
  const records = new Map<string, JobRecord>();
  const waited = new Set<string>();
  const inState = (state: JobRecord['state']): JobRecord[] => [...records.values()].filter((record) => record.state === state);

  const preempted = ({ id, owner, priority }: JobRecord, by: string): void => {
    saw('job-was-preempted');
    const other = records.get(by);
    if (other && (other.priority < priority || (other.priority === priority && other.owner === owner)))
      fail(
        'preempted-by-right',
        `${id} of ${owner}, priority ${priority}, loses its place to ${by} of ${other.owner}, ${other.priority}`,
      );
  };

  const changed = (record: JobRecord): void => {
    const { id, state, preemptedBy } = record;
    const before = records.get(id);
    records.set(id, record);
    if (preemptedBy !== undefined && before?.state === 'RUNNING' && state === 'QUEUED') preempted(record, preemptedBy);
    const running = inState('RUNNING');
    const names = running.map((one) => one.id).join(', ');
    if (running.length > limit) fail('running-limit', `${names} run, and there are ${limit} places`);
    for (const [owner, { maxRunning: most = Infinity }] of Object.entries(owners))
      if (running.filter((one) => one.owner === owner).length > most)
        fail('owner-limit', `${names} run, and ${owner} may run ${most}`);
    if (running.length === limit) for (const one of inState('QUEUED')) waited.add(one.id);
    if (state === 'RUNNING' && waited.has(id)) saw('job-waited-for-place');
  };

  return {
    written({ bucket, key, value }) {
      if (bucket === JOBS && value) changed(jobRecordSchema.parse(JSON.parse(new TextDecoder().decode(value))));
      if (bucket !== SCHEDULER || key !== 'places' || !value) return;
      const admitted = Object.keys(decodePlaces(value).admitted);
      if (admitted.length > limit) fail('running-limit', `${admitted.join(', ')} have places, and there are ${limit}`);
    },
  };
}
