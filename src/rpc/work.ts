import { ParameterServerService } from '../gen/millrace/v1/learner_pb.ts';
import type { WorkRequest, WorkResponse } from '../gen/millrace/v1/learner_pb.ts';
import { MillraceError } from '../errors.ts';
import { createClient, type ClientOptions } from './client.ts';
import { MAX_SHARD_BYTES } from './definition.ts';
import { defineService } from './handlers.ts';
import type { ServiceRegistration } from './handlers.ts';
import type { Link } from './link.ts';
import { StreamLink } from './stream-link.ts';

/** How long connecting, and an orderly close, may take. */
const PATIENCE_MS = 10_000;

/**
 * The parameter server's side of `ParameterServerService.Work`: `onConnect` is called with a link for every learner that
 * connects and with the learner's address. What `onConnect` throws is told to that learner and closes its link.
 */
export function serveWork(onConnect: (link: Link<WorkRequest, WorkResponse>, peer: string) => void): ServiceRegistration {
  return defineService(ParameterServerService, {
    work: async (call, context) => {
      const link = new StreamLink<WorkRequest, WorkResponse>(call);
      const abort = (): void => link.fail(MillraceError.from(context.signal.reason));
      context.signal.addEventListener('abort', abort, { once: true });
      onConnect(link, context.peer);
      await link.closed;
      if (link.error) throw link.error;
    },
  });
}

/**
 * The learner's side: connects to the parameter server at "host:port" and resolves when it has accepted the connection.
 * Fails with `unavailable` when nothing answers within 10 s and with `unauthenticated` when the token is wrong. A link that
 * breaks later closes with its error; connect again then.
 */
export async function connectWork(
  address: string,
  access: Pick<ClientOptions, 'token' | 'tls'> = {},
): Promise<Link<WorkResponse, WorkRequest>> {
  const client = createClient(ParameterServerService, address, { ...access, maxReceiveBytes: MAX_SHARD_BYTES });
  const call = client.work();
  const patience = setTimeout(() => call.cancel(), PATIENCE_MS);
  try {
    await call.opened;
  } catch (thrown) {
    client.close();
    const error = MillraceError.from(thrown);
    if (error.code !== 'cancelled') throw error;
    throw new MillraceError('unavailable', `The parameter server at ${address} did not answer within ${PATIENCE_MS / 1000} s.`, {
      cause: error,
    });
  } finally {
    clearTimeout(patience);
  }
  const link = new StreamLink<WorkResponse, WorkRequest>(call, {
    end: () => {
      call.end();
      const bound = setTimeout(() => call.cancel(), PATIENCE_MS);
      void link.closed.then(() => clearTimeout(bound));
    },
  });
  void link.closed.then(() => {
    call.cancel();
    client.close();
  });
  return link;
}
