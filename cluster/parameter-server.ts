import { acquireLease, type Lease } from '../src/bus/lease.ts';
import type { ActorRef } from '../src/actor/behaviour.ts';
import type { WorkRequest, WorkResponse } from '../src/gen/millrace/v1/learner_pb.ts';
import { isEnded } from '../src/jobs/state.ts';
import type { Link } from '../src/rpc/link.ts';
import type { NodeContext, Role } from './context.ts';
import type { JobEntry } from './jobs/directory.ts';
import { LearnerPool } from './parameter-server/learner-pool.ts';
import { Trainer, type TrainerMessage } from './parameter-server/trainer.ts';

/** How often jobs without a trainer are looked for: another node's lease may have run out. */
const SCAN_MS = 1_000;

interface Held {
  lease: Lease;
  actor: ActorRef<TrainerMessage>;
}

/** The parameter-server role, with the way for learners to reach it. */
export interface ParameterServerRole extends Role {
  /** Takes a learner's connection. */
  connect(link: Link<WorkRequest, WorkResponse>): void;
}

/**
 * A parameter server runs one trainer for each job whose lease it holds, and hands the shards of their rounds to the learners
 * that are connected. When it dies, the lease expires and another one (or its own restart) goes on from the last commit.
 */
export async function startParameterServer(context: NodeContext): Promise<ParameterServerRole> {
  const { bus, clock, jobs, runtimes, log } = context;
  const pool = new LearnerPool(clock, log);
  const held = new Map<string, Held>();
  const taking = new Set<string>();
  let stopped = false;

  const take = async ({ record }: JobEntry): Promise<void> => {
    if (stopped || record.state !== 'RUNNING' || held.has(record.id) || taking.has(record.id)) return;
    taking.add(record.id);
    try {
      const lease = await acquireLease(bus, clock, `trainer.${record.id}`, context.id);
      if (!lease) return;
      const runtime = await runtimes.get(record.id, record.config);
      const trainer = new Trainer(context, runtime, pool, lease, record);
      const capacity = 8 * (record.config.rollout.maxStaleness + 2) * record.config.rollout.groupsPerRound + 1024;
      const actor = context.actors.spawn<TrainerMessage>('parameter-server', record.id, trainer, { mailboxCapacity: capacity });
      held.set(record.id, { lease, actor });
      void lease.lost.then(() => release(record.id));
    } catch (error) {
      log.error({ err: error, job: record.id }, 'the trainer could not be started');
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

  const onJob = async (entry: JobEntry): Promise<void> => {
    const mine = held.get(entry.record.id);
    if (!mine) {
      await take(entry);
      return;
    }
    const { record } = entry;
    if (!isEnded(record.state)) {
      await mine.actor.send({ kind: 'job', record });
      return;
    }
    await mine.actor
      .ask<void>((reply) => ({ kind: 'end', record, reply }))
      .catch((error: unknown) => {
        log.error({ err: error, job: record.id }, 'the books could not be closed');
      });
    await release(record.id);
  };

  const guard = (work: Promise<void>): void => void work.catch((error: unknown) => log.error({ err: error }, 'parameter server'));
  const stopChanges = jobs.onChange((entry) => guard(onJob(entry)));
  const stopScan = clock.every(SCAN_MS, async () => {
    for (const entry of jobs.list()) await take(entry);
  });
  for (const entry of jobs.list()) guard(take(entry));

  return {
    name: 'parameter-server',
    connect: (link) => pool.connect(link),
    async stop() {
      stopped = true;
      stopChanges();
      stopScan();
      for (const job of [...held.keys()]) await release(job);
      pool.close();
    },
  };
}
