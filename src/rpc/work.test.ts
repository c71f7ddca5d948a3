import { afterEach, describe, expect, it } from 'vitest';
import type { WorkRequest, WorkResponse } from '../gen/millrace/v1/learner_pb.ts';
import { MillraceError } from '../errors.ts';
import { linkConformance } from './link-conformance.ts';
import type { Link } from './link.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';
import { connectWork, serveWork } from './work.ts';

describe('work over gRPC', () => {
  const servers: RunningServer[] = [];
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop(1000)));
  });

  async function serve(
    onConnect: (link: Link<WorkRequest, WorkResponse>, peer: string) => void,
    token?: string,
  ): Promise<RunningServer> {
    const server = await startServer({ services: [serveWork(onConnect)], token });
    servers.push(server);
    return server;
  }

  linkConformance(async () => {
    let connected!: (link: Link<WorkRequest, WorkResponse>) => void;
    const link = new Promise<Link<WorkRequest, WorkResponse>>((resolve) => (connected = resolve));
    const server = await serve(connected);
    const client = await connectWork(server.address);
    return { server: await link, client };
  });

  it('tells the address of the learner', async () => {
    let from = '';
    const server = await serve((link, peer) => {
      from = peer;
      link.close();
    });
    const client = await connectWork(server.address);
    await client.closed;
    expect(from).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(client.error).toBeUndefined();
  });

  it('refuses a learner without the token', async () => {
    const server = await serve(() => {}, 'secret');
    await expect(connectWork(server.address)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(connectWork(server.address, { token: 'guess' })).rejects.toMatchObject({ code: 'unauthenticated' });
    const link = await connectWork(server.address, { token: 'secret' });
    link.close();
    await link.closed;
  });

  it('fails to connect where nothing listens', async () => {
    const server = await serve(() => {});
    await server.stop();
    await expect(connectWork(server.address)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/Nothing answers at 127/) as string,
    });
  });

  it('closes the learner with the error that refused it', async () => {
    const server = await serve(() => {
      throw new MillraceError('failed_precondition', 'no job here');
    });
    const link = await connectWork(server.address);
    link.onMessage(() => {});
    await link.closed;
    expect(link.error).toMatchObject({ code: 'failed_precondition', message: 'no job here' });
  });

  it('closes the learners when the server stops', async () => {
    const server = await serve((link) => link.onMessage(() => {}));
    const link = await connectWork(server.address);
    link.onMessage(() => {});
    await server.stop();
    await link.closed;
    expect(link.error).toMatchObject({ code: 'unavailable', retryable: true });
  });
});
