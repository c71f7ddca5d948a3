import type { ActorRef } from '../src/actor/behaviour.ts';
import { acquireLease, type Lease } from '../src/bus/lease.ts';
import { MillraceError } from '../src/errors.ts';
import { transition } from '../src/jobs/record.ts';
import { isEnded } from '../src/jobs/state.ts';
import type { NodeContext, Role } from './context.ts';
import { JobActor, type JobMessage } from './coordinator/job-actor.ts';
import { endLostRequests } from './coordinator/lost-requests.ts';
import type { JobEntry } from './jobs/directory.ts';

/** Options of the coordinator role. */
export interface CoordinatorOptions {
  /** Jobs that run at the same time; further ones stay queued, the oldest first. Default 1. */
  maxRunningJobs?: number;
}

const SCAN_MS = 500;

interface Held {
  lease: Lease;
  actor: ActorRef<JobMessage>;
}

/**
 * A coordinator runs one actor for each job whose lease it holds. Queued jobs are started oldest first while there is room.
 * Any number of coordinators may stand by: when one dies its leases expire and another resumes each job from its frontier.
 */
export async function startCoordinator(context: NodeContext, options: CoordinatorOptions = {}): Promise<Role> {
  const { bus, clock, jobs, runtimes, log } = context;
  const held = new Map<string, Held>();
  const taking = new Set<string>();
  let stopped = false;
  const stopLost = await endLostRequests(context);

  const isDue = ({ record }: JobEntry): boolean => {
    if (record.state === 'RUNNING' || record.state === 'PAUSED') return true;
    if (record.state !== 'QUEUED') return false;
    const all = jobs.list().map((entry) => entry.record);
    const running = all.filter((other) => other.state === 'RUNNING').length;
    const queuedBefore = all.filter((other) => other.state === 'QUEUED' && other.createdAt < record.createdAt).length;
    return running + queuedBefore < (options.maxRunningJobs ?? 1);
  };

  const take = async (entry: JobEntry): Promise<void> => {
    const { record } = entry;
    if (stopped || held.has(record.id) || taking.has(record.id) || !isDue(entry)) return;
    taking.add(record.id);
    try {
      const lease = await acquireLease(bus, clock, `job.${record.id}`, context.id);
      if (!lease) return;
      const newest = await jobs.fetch(record.id);
      if (!newest || isEnded(newest.record.state)) {
        await lease.release();
        return;
      }
      const actor = context.actors.spawn<JobMessage>('coordinator', record.id, new JobActor(context, lease, newest));
      held.set(record.id, { lease, actor });
      void lease.lost.then(() => release(record.id));
    } catch (error) {
      log.error({ err: error, job: record.id }, 'the job could not be taken over');
    } finally {
      taking.delete(record.id);
    }
  };

  const release = async (job: string): Promise<void> => {
    const entry = held.get(job);
    if (!entry) return;
    held.delete(job);
    await entry.actor.stop();
    await entry.lease.release();
    runtimes.forget(job);
  };

  const scan = async (): Promise<void> => {
    for (const entry of jobs.list().reverse()) {
      const { record } = entry;
      const mine = held.get(record.id);
      if (!mine) await take(entry);
      else if (isEnded(record.state)) await release(record.id);
      else if (mine.actor.status().state === 'failed') await giveUp(record.id);
    }
  };

  /** The actor failed again and again: the job ends with what the actor said. */
  const giveUp = async (job: string): Promise<void> => {
    const error = `its actor failed repeatedly; the coordinator's log says why (node ${context.id})`;
    await jobs.update(job, (record) =>
      isEnded(record.state) ? undefined : transition(record, 'FAILED', { now: clock.now(), error }),
    );
    await release(job);
  };

  const stopScan = clock.every(SCAN_MS, () =>
    scan().catch((error: unknown) => log.error({ err: MillraceError.from(error) }, 'scan of the jobs failed')),
  );
  const stopChanges = jobs.onChange((entry) => void take(entry));

  return {
    name: 'coordinator',
    async stop() {
      stopped = true;
      stopChanges();
      stopScan();
      for (const job of [...held.keys()]) await release(job);
      await stopLost();
    },
  };
}
