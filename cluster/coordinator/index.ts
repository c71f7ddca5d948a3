import { MillraceError } from '../../src/errors.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { JobActors } from './job-actors.ts';
import { keepTopology } from './topology-keeper.ts';
import type { CountStored } from './unstored-groups.ts';
import { deleteUnusedArtifacts } from './unused-artifacts.ts';
import { endLostRequests } from './lost-requests.ts';

/** Options of the coordinator role. */
export interface CoordinatorOptions {
  /**
   * Jobs that are started at the same time; further ones stay queued, the oldest first. A paused job takes no place, so one
   * that is resumed later runs beside those started meanwhile. Default 1.
   */
  maxRunningJobs?: number;
  /** Asks the store which groups it has. Default: nobody does, and what was lost with a stream is not counted. */
  countStored?: CountStored | undefined;
  /** How often it looks for streams, buckets and durables that are gone, in ms. Default 1000. */
  lookMs?: number;
}

const SCAN_MS = 500;

/**
 * A coordinator runs one actor for each job whose lease it holds. Queued jobs are started oldest first while there is room.
 * Any number of coordinators may stand by: when one dies its leases expire and another resumes each job from its frontier.
 */
export async function startCoordinator(context: NodeContext, options: CoordinatorOptions = {}): Promise<Role> {
  const { clock, jobs, log } = context;
  const { maxRunningJobs: maxRunning = 1, countStored, lookMs } = options;
  const coordinated = new JobActors(context, { maxRunning, countStored });
  const stopLost = await endLostRequests(context);
  void deleteUnusedArtifacts(context);
  const stopKeeping = keepTopology(context, () => coordinated.ids, lookMs);
  const guard = (work: Promise<void>): Promise<void> =>
    work.catch((error: unknown) => log.error({ err: MillraceError.from(error) }, 'coordinator; it tries again'));
  const stopScan = clock.every(SCAN_MS, () => guard(coordinated.scan()));
  const stopChanges = jobs.onChange((entry) => {
    if (isEnded(entry.record.state)) void deleteUnusedArtifacts(context);
    // At once: a failed job may be resumed soon, and needs an actor that has not ended.
    void guard(coordinated.changed(entry));
  });

  return {
    name: 'coordinator',
    async stop() {
      stopChanges();
      stopScan();
      stopKeeping();
      await coordinated.stop();
      await stopLost();
    },
  };
}
