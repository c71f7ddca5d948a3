import { isEnded } from '../../src/jobs/state.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { MillraceError } from '../../src/errors.ts';
import type { NodeContext } from '../runtime/context.ts';

/** Jobs that have ended whose series stay, for the scrapes to come. */
const ENDED_JOBS = 20;

/**
 * Has what every node has (actors, gRPC calls) read at each scrape, and forgets the series of jobs that ended long ago. Returns a function
 * that stops the latter.
 */
export function readNode(context: NodeContext, server: RunningServer | undefined): () => void {
  const { metrics, actors } = context;
  metrics.onScrape(() => {
    for (const { address, mailboxDepth, inFlight, restarts } of actors.list()) {
      metrics.set('mailbox_depth', { actor: address }, mailboxDepth);
      metrics.set('messages_in_flight', { actor: address }, inFlight);
      metrics.total('actor_restarts_total', { actor: address }, restarts);
    }
    for (const { method, calls, active, latencySumMs } of server?.metrics() ?? []) {
      metrics.set('rpc_active', { method }, active);
      metrics.total('rpc_seconds_total', { method }, latencySumMs / 1000);
      for (const [code, count] of Object.entries(calls)) metrics.total('rpc_total', { method, code }, count);
    }
  });
  return boundSeries(context);
}

/** Forgets the series of jobs that ended long ago, so that their number stays bounded. Returns a function that stops it. */
function boundSeries({ jobs, metrics, log }: NodeContext): () => void {
  const ended = new Set<string>();
  return jobs.onChange(({ record: { id, state } }) => {
    if (!isEnded(state)) return;
    ended.add(id);
    const [oldest] = ended;
    if (ended.size <= ENDED_JOBS || oldest === undefined) return;
    ended.delete(oldest);
    metrics.forgetJob(oldest).catch((error: unknown) => {
      log.warn({ err: MillraceError.from(error), job: oldest }, 'metrics of an ended job stay');
    });
  });
}
