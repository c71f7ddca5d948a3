import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { Link } from '../../src/rpc/link.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { WEIGHTS_DAMAGED } from '../jobs/damaged-weights.ts';
import { JobHoldings } from '../jobs/holdings.ts';
import { watchJobNotices } from '../jobs/notices.ts';
import { closeBooks } from './books.ts';
import { LearnerPool } from './learner-pool.ts';
import type { TrainerMessage } from './trainer-message.ts';
import { Trainer } from './trainer.ts';

/** How often jobs without a trainer are looked for: another node's lease may have run out. */
const SCAN_MS = 1_000;
/** How long a trainer has for closing its books: one that waits for learners, or is between two lives, is stopped and they are closed for it. */
const END_MS = 5_000;

/** The parameter-server role, with the way for learners to reach it. */
export interface ParameterServerRole extends Role {
  /** Takes a learner's connection. */
  connect(link: Link<WorkRequest, WorkResponse>): void;
}

/**
 * A parameter server runs one trainer for each job whose lease it holds, and hands the shards of their rounds to the learners
 * that are connected. When it dies, the lease expires and another one (or its own restart) goes on from the last commit.
 */
export function startParameterServer(context: NodeContext): Promise<ParameterServerRole> {
  const { clock, jobs, runtimes, log, metrics } = context;
  const pool = new LearnerPool(clock, log);
  const held = new JobHoldings<TrainerMessage>(context, 'trainer');
  const ending = new Set<string>();
  metrics.onScrape(() => metrics.set('learners', {}, pool.learners.length));

  const take = async ({ record }: JobEntry): Promise<void> => {
    const ended = isEnded(record.state);
    if (ended ? !record.unsettled.includes('books') : record.state !== 'RUNNING') return;
    await held.take(record.id, async (lease) => {
      if (ended) {
        await closeBooks(context, record);
        return undefined;
      }
      const runtime = await runtimes.get(record);
      const trainer = new Trainer({ context, runtime, lease, record }, pool);
      const capacity = 8 * (record.config.rollout.maxStaleness + 2) * record.config.rollout.groupsPerRound + 1024;
      return context.actors.spawn<TrainerMessage>('parameter-server', record.id, trainer, {
        mailboxCapacity: capacity,
        ...held.supervised(record.id),
      });
    });
  };

  const onJob = async (entry: JobEntry): Promise<void> => {
    const { record } = entry;
    const trainer = held.get(record.id);
    if (!trainer) {
      await take(entry);
      return;
    }
    if (!isEnded(record.state)) {
      await trainer.send({ kind: 'job', record });
      return;
    }
    if (ending.has(record.id)) return;
    ending.add(record.id);
    try {
      await trainer.ask<void>((reply) => ({ kind: 'end', record, reply }), END_MS);
    } catch (error) {
      // A round that waits for learners, for instance.
      log.warn({ err: error, job: record.id }, 'the trainer could not close its books; the next look at the jobs does it');
    } finally {
      ending.delete(record.id);
      await held.release(record.id);
    }
  };

  const guard = (work: Promise<void>): void => void work.catch((error: unknown) => log.error({ err: error }, 'parameter server'));
  const notices = watchJobNotices(context.bus, (job) => {
    const isDamaged = notices.of(job).some(({ code, resolvedAt }) => code === WEIGHTS_DAMAGED && resolvedAt === undefined);
    if (isDamaged) held.get(job)?.tell({ kind: 'damaged' });
  });
  const stopChanges = jobs.onChange((entry) => guard(onJob(entry)));
  const stopScan = clock.every(SCAN_MS, async () => {
    await held.releaseUnknown().catch((error: unknown) => log.warn({ err: error }, 'parameter server; it looks again'));
    for (const entry of jobs.list()) {
      // Ended while its trainer was being made: that trainer has not been told.
      if (isEnded(entry.record.state) && held.get(entry.record.id)) guard(onJob(entry));
      else await take(entry);
    }
  });
  for (const entry of jobs.list()) guard(take(entry));

  return Promise.resolve({
    name: 'parameter-server' as const,
    connect: (link: Link<WorkRequest, WorkResponse>) => pool.connect(link),
    async stop() {
      notices.close();
      stopChanges();
      stopScan();
      await held.stop();
      pool.close();
    },
  });
}
