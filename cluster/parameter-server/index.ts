import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { Link } from '../../src/rpc/link.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { WEIGHTS_DAMAGED } from '../jobs/damaged-weights.ts';
import { watchJobNotices } from '../jobs/notice-list.ts';
import { LearnerPool } from './learner-pool.ts';
import { Placement } from './placement.ts';
import { Trainers } from './trainers.ts';

/** How often jobs without a trainer are looked for: another node's lease may have run out. */
const SCAN_MS = 1_000;

/** The parameter-server role, with the way for learners to reach it. */
export interface ParameterServerRole extends Role {
  /** Takes a learner's connection. */
  connect(link: Link<WorkRequest, WorkResponse>): void;
}

/**
 * A parameter server runs one trainer for each job whose lease it holds, and hands the shards of their rounds to the learners
 * that are connected. Trainers are spread over the parameter servers. When one dies, its leases expire and another one (or its own restart) goes
 * on from the last commits.
 */
export async function startParameterServer(context: NodeContext): Promise<ParameterServerRole> {
  const { clock, jobs, log, metrics } = context;
  const pool = new LearnerPool(clock, log);
  const placement = new Placement(context);
  await placement.ready();
  const trainers = new Trainers(context, { pool, placement });
  metrics.onScrape(() => metrics.set('learners', {}, pool.learners.length));

  const guard = (work: Promise<void>): void => void work.catch((error: unknown) => log.error({ err: error }, 'parameter server'));
  const notices = watchJobNotices(context, (job) => {
    const isDamaged = notices.of(job).some(({ code, resolvedAt }) => code === WEIGHTS_DAMAGED && resolvedAt === undefined);
    if (isDamaged) trainers.weightsDamaged(job);
  });
  const stopChanges = jobs.onChange((entry) => guard(trainers.jobChanged(entry)));
  const stopScan = clock.every(SCAN_MS, async () => {
    await trainers.releaseUnknown().catch((error: unknown) => log.warn({ err: error }, 'parameter server; it looks again'));
    guard(trainers.endMissed());
    guard(trainers.giveUpIdle());
    await trainers.takeAll(jobs.active()).catch((error: unknown) => log.warn({ err: error }, 'parameter server; it looks again'));
  });
  guard(trainers.takeAll(jobs.active()));

  return {
    name: 'parameter-server' as const,
    connect: (link: Link<WorkRequest, WorkResponse>) => pool.connect(link),
    async stop() {
      notices.close();
      stopChanges();
      stopScan();
      await trainers.stop();
      placement.close();
      pool.close();
    },
  };
}
