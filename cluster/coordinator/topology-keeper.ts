import { EVENTS, JOBS, LEASES, SCORED } from '../../src/protocol/names.ts';
import { MillraceError } from '../../src/errors.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import type { NodeContext } from '../runtime/context.ts';
import { deleteOvertakenDurables } from './overtaken-durables.ts';
import { WORK_DURABLES } from '../../src/protocol/durables.ts';

const LOOK_MS = 1_000;
/** Between two looks at how far durables have come, which takes more requests. */
const OVERTAKEN_MS = 5_000;
const CODE = 'STREAM_MISSING';

/**
 * Makes streams and buckets again that somebody deleted. Only a coordinator that holds a job's lease does, so that one decides;
 * where no job runs, or the leases themselves are gone, any may. What that loses is found out by each job's actor, which compares
 * what there is with what its requests were sent into.
 *
 * @param held - jobs whose lease this coordinator holds
 * @param lookMs - between two looks; default 1000
 */
export function keepTopology(context: NodeContext, held: () => readonly string[], lookMs = LOOK_MS): () => void {
  const { bus, clock, jobs, log, metrics, notices } = context;
  let looking = false;
  let looks = 0;
  const looksBetween = Math.max(1, Math.round(OVERTAKEN_MS / lookMs));
  let reported: { job: string; name: string }[] = [];

  const look = async (): Promise<void> => {
    const missing = (await bus.inspectTopology()).filter(({ created }) => created === undefined).map(({ name }) => name);
    if (missing.length === 0) {
      for (const { job, name } of reported.splice(0)) await notices.resolve(job, CODE, name);
      if (decides() && (looks += 1) % looksBetween === 0) await replaceOvertaken();
      await keepWorkDurables();
      return;
    }
    if (!decides() && !missing.includes(LEASES)) return;
    log.error({ missing }, 'streams or buckets are gone and are made again');
    try {
      await bus.ensureTopology();
      // SCORED keeps messages only for durables it knows.
      if (missing.includes(SCORED) || missing.includes(EVENTS)) await ensureWriterDurables(bus);
      if (missing.includes(JOBS)) await jobs.restore();
    } catch (thrown) {
      for (const job of held()) {
        for (const name of missing) {
          const message = `${name} is gone and cannot be made again: ${MillraceError.from(thrown).message}`;
          void notices.report(job, { code: CODE, subject: name, message });
          if (!reported.some((other) => other.job === job && other.name === name)) reported.push({ job, name });
        }
      }
      throw thrown;
    }
  };

  const decides = (): boolean => held().length > 0 || !jobs.list().some(({ record }) => record.state === 'RUNNING');

  const replaceOvertaken = async (): Promise<void> => {
    const deleted = await deleteOvertakenDurables(bus);
    if (deleted.length === 0) return;
    log.error({ durables: deleted }, 'nats-server has lost messages: durables are ahead of their streams and are made again');
    await ensureWriterDurables(bus);
  };

  /** Workers take work from these, and may not make them. */
  const keepWorkDurables = async (): Promise<void> => {
    for (const durable of WORK_DURABLES) {
      const state = await bus.durableState(durable.stream, durable.durable);
      metrics.set('queue_messages', { stream: durable.stream, state: 'waiting' }, state?.pending ?? 0);
      metrics.set('queue_messages', { stream: durable.stream, state: 'in_hand' }, state?.ackPending ?? 0);
      if (state !== undefined) continue;
      log.error({ durable: durable.durable }, 'a durable is gone and is made again');
      await bus.ensureDurable(durable);
    }
  };

  const stop = clock.every(lookMs, async () => {
    if (looking) return;
    looking = true;
    await look().catch((error: unknown) => log.warn({ err: MillraceError.from(error) }, 'looking after streams; tried again'));
    looking = false;
  });
  return () => {
    stop();
    reported = [];
  };
}
