import { MillraceError } from '../../src/errors.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { settleQueues } from './ending.ts';
import { JobActor } from './job-actor.ts';
import type { JobMessage } from './job-message.ts';
import { keepTopology } from './topology-keeper.ts';
import type { CountStored } from './unstored-groups.ts';
import { deleteUnusedArtifacts } from './unused-artifacts.ts';
import { endLostRequests } from './lost-requests.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobHoldings } from '../jobs/holdings.ts';

/** Options of the coordinator role. */
export interface CoordinatorOptions {
  /**
   * Jobs that are started at the same time; further ones stay queued, the oldest first. A paused job takes no place, so one
   * that is resumed later runs beside those started meanwhile. Default 1.
   */
  maxRunningJobs?: number;
  /** Asks the store which groups it has. Default: nobody does, and what was lost with a stream is not counted. */
  countStored?: CountStored | undefined;
}

const SCAN_MS = 500;

/**
 * A coordinator runs one actor for each job whose lease it holds. Queued jobs are started oldest first while there is room.
 * Any number of coordinators may stand by: when one dies its leases expire and another resumes each job from its frontier.
 */
export async function startCoordinator(context: NodeContext, options: CoordinatorOptions = {}): Promise<Role> {
  const { clock, jobs, log } = context;
  const held = new JobHoldings<JobMessage>(context, 'job');
  const stopLost = await endLostRequests(context);
  void deleteUnusedArtifacts(context);
  const stopKeeping = keepTopology(context, () => held.jobs);

  const isDue = ({ record }: JobEntry): boolean => {
    if (isEnded(record.state)) return record.unsettled.includes('queues');
    if (record.state !== 'QUEUED') return true;
    const all = jobs.list().map((entry) => entry.record);
    const running = all.filter((other) => other.state === 'RUNNING').length;
    const before = all.filter(({ state, createdAt, id }) => {
      if (state !== 'QUEUED') return false;
      return createdAt < record.createdAt || (createdAt === record.createdAt && id < record.id);
    });
    return running + before.length < (options.maxRunningJobs ?? 1);
  };

  const take = async (entry: JobEntry): Promise<void> => {
    const { id } = entry.record;
    if (!isDue(entry)) return;
    await held.take(id, async (lease) => {
      const newest = await jobs.fetch(id);
      if (!newest || !isDue(newest)) return undefined;
      // Whoever ended it did not get to the end of it.
      if (isEnded(newest.record.state)) {
        await settleQueues(context, newest.record);
        return undefined;
      }
      return context.actors.spawn<JobMessage>(
        'coordinator',
        id,
        new JobActor(context, { lease, entry: newest, countStored: options.countStored }),
        held.supervised(id),
      );
    });
  };

  const scan = async (): Promise<void> => {
    await held.releaseUnknown();
    for (const entry of jobs.list().reverse()) {
      const { record } = entry;
      if (!held.get(record.id)) await take(entry);
      else if (isEnded(record.state)) await held.release(record.id);
    }
  };

  const guard = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => log.error({ err: MillraceError.from(error) }, 'coordinator; it tries again'));
  const stopScan = clock.every(SCAN_MS, () => guard(scan()));
  const stopChanges = jobs.onChange((entry) => {
    const { id, state } = entry.record;
    if (isEnded(state)) void deleteUnusedArtifacts(context);
    // At once: a failed job may be resumed soon, and needs an actor that has not ended.
    void guard(isEnded(state) && held.get(id) ? held.release(id) : take(entry));
  });

  return {
    name: 'coordinator',
    async stop() {
      stopChanges();
      stopScan();
      stopKeeping();
      await held.stop();
      await stopLost();
    },
  };
}
