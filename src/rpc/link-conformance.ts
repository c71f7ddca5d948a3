import { expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import type { WorkRequest, WorkResponse } from '../gen/millrace/v1/learner_pb.ts';
import { WorkRequestSchema, WorkResponseSchema } from '../gen/millrace/v1/learner_pb.ts';
import type { Link } from './link.ts';

/** Both ends of a link that is open. */
export interface LinkPair {
  server: Link<WorkRequest, WorkResponse>;
  client: Link<WorkResponse, WorkRequest>;
}

/** What every implementation of {@link Link} must do. `connect` makes a fresh pair for each test. */
export function linkConformance(connect: () => Promise<LinkPair>): void {
  it('delivers in order, both ways', async () => {
    const { server, client } = await connect();
    const atServer = collect(server, 50, (m) => (m.message.case === 'hello' ? m.message.value.learner : '?'));
    const atClient = collect(client, 50, (m) => (m.message.case === 'end' ? m.message.value.job : '?'));
    for (let i = 0; i < 50; i++) {
      await client.send(hello(`learner-${i}`));
      await server.send(end(`job-${i}`));
    }
    expect(await atServer).toEqual(Array.from({ length: 50 }, (_, i) => `learner-${i}`));
    expect(await atClient).toEqual(Array.from({ length: 50 }, (_, i) => `job-${i}`));
    client.close();
    await Promise.all([client.closed, server.closed]);
  });

  it('keeps what arrives before the handler is set', async () => {
    const { server, client } = await connect();
    await client.send(hello('early'));
    await client.send(hello('bird'));
    client.close();
    expect(await collect(server, 2, (m) => (m.message.case === 'hello' ? m.message.value.learner : '?'))).toEqual([
      'early',
      'bird',
    ]);
    await server.closed;
  });

  it('does not call a handler inside send', async () => {
    const { server, client } = await connect();
    let sending = false;
    const seen = new Promise<boolean>((resolve) => server.onMessage(() => resolve(sending)));
    sending = true;
    const sent = client.send(hello('a'));
    sending = false;
    await sent;
    expect(await seen).toBe(false);
    client.close();
    await server.closed;
  });

  for (const side of ['server', 'client'] as const) {
    it(`closes in order from the ${side}: what was sent arrives first`, async () => {
      const pair = await connect();
      const { server, client } = pair;
      let received = 0;
      server.onMessage(() => received++);
      client.onMessage(() => received++);
      for (let i = 0; i < 20; i++) await (side === 'server' ? server.send(end(`${i}`)) : client.send(hello(`${i}`)));
      pair[side].close();
      pair[side].close();
      await Promise.all([server.closed, client.closed]);
      expect(received).toBe(20);
      expect([server.error, client.error]).toEqual([undefined, undefined]);
      await expect(server.send(end('late'))).rejects.toMatchObject({ code: 'unavailable', retryable: true });
      await expect(client.send(hello('late'))).rejects.toMatchObject({ code: 'unavailable' });
    });
  }

  it('closes with the error that a handler throws', async () => {
    const { server, client } = await connect();
    client.onMessage(() => {});
    server.onMessage(() => {
      throw new Error('broken handler');
    });
    await client.send(hello('a'));
    await Promise.all([server.closed, client.closed]);
    expect(server.error).toMatchObject({ code: 'internal', message: 'broken handler' });
    expect(client.error).toMatchObject({ code: 'internal', message: 'broken handler' });
  });

  it('refuses a second handler', async () => {
    const { server, client } = await connect();
    server.onMessage(() => {});
    expect(() => server.onMessage(() => {})).toThrow(/handler already/);
    client.close();
    await server.closed;
  });

  it('carries megabytes with a slow reader', async () => {
    const { server, client } = await connect();
    const sizes: number[] = [];
    const all = new Promise<void>((resolve) => {
      server.onMessage((message) => {
        if (message.message.case === 'result') sizes.push(message.message.value.gradient.length);
        if (sizes.length === 12) resolve();
      });
    });
    for (let i = 0; i < 12; i++) {
      const gradient = new Uint8Array(1_000_000 + i).fill(i);
      await client.send(create(WorkRequestSchema, { message: { case: 'result', value: { gradient } } }));
    }
    await all;
    expect(sizes).toEqual(Array.from({ length: 12 }, (_, i) => 1_000_000 + i));
    client.close();
    await server.closed;
  });
}

function hello(learner: string): WorkRequest {
  return create(WorkRequestSchema, { message: { case: 'hello', value: { learner } } });
}

function end(job: string): WorkResponse {
  return create(WorkResponseSchema, { message: { case: 'end', value: { job } } });
}

function collect<T>(link: Pick<Link<T, never>, 'onMessage'>, count: number, read: (message: T) => string): Promise<string[]> {
  const seen: string[] = [];
  return new Promise((resolve) => {
    link.onMessage((message) => {
      seen.push(read(message));
      if (seen.length === count) resolve(seen);
    });
  });
}
