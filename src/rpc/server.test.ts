import http2 from 'node:http2';
import { Client, credentials, Metadata, status as Status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import { StoreService } from '../gen/millrace/v1/store_pb.ts';
import { createClient } from './client.ts';
import { MAX_MESSAGE_BYTES } from './definition.ts';
import { defineService } from './handlers.ts';
import type { CallContext, Handlers, ServiceRegistration } from './handlers.ts';
import { startServer } from './server.ts';
import type { RunningServer, ServerOptions } from './server.ts';
import { TRACE_KEY } from './status.ts';

const GET_JOB = '/millrace.v1.AdminService/GetJob';

/** The admin service with handlers that only this test knows; all others are refused. */
function service(handlers: Partial<Handlers<typeof AdminService>>): ServiceRegistration {
  const refuse = (): never => {
    throw new MillraceError('unimplemented', 'not in this test');
  };
  const all = Object.fromEntries(AdminService.methods.map(({ localName }) => [localName, refuse]));
  return defineService(AdminService, { ...all, ...handlers } as Handlers<typeof AdminService>);
}

describe('server', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function start(
    handlers: Partial<Handlers<typeof AdminService>>,
    options: Partial<ServerOptions> = {},
  ): Promise<RunningServer> {
    const server = await startServer({ services: [service(handlers)], ...options });
    cleanups.push(() => server.stop(500));
    return server;
  }

  function connect(server: RunningServer, token?: string) {
    const client = createClient(AdminService, server.address, { token });
    cleanups.push(() => client.close());
    return client;
  }

  /** A call with bytes instead of messages, as a foreign client would make it. */
  function rawCall(
    server: RunningServer,
    path: string,
    request: Buffer,
    options: { deadline?: number; metadata?: Metadata } = {},
  ) {
    const client = new Client(server.address, credentials.createInsecure());
    cleanups.push(() => client.close());
    const { metadata = new Metadata(), ...rest } = options;
    return new Promise<{ error: ServiceError | null; trailers: Metadata | undefined; response: Buffer | undefined }>(
      (resolve) => {
        let trailers: Metadata | undefined;
        const done = (error: ServiceError | null, response?: Buffer): void =>
          void setImmediate(() => resolve({ error, trailers, response }));
        const call = client.makeUnaryRequest(
          path,
          (b: Buffer) => b,
          (b: Buffer) => b,
          request,
          metadata,
          rest,
          done,
        );
        call.on('status', (status) => (trailers = status.metadata));
      },
    );
  }

  it('answers unary calls and gives the caller the error that was thrown', async () => {
    const server = await start({
      getJob: ({ jobId }) => {
        if (jobId === 'a') return { job: { id: 'a', error: 'größer ✓' } };
        throw new MillraceError('not_found', `no job "${jobId}" – look again`, { field: 'job_id', retryable: true });
      },
    });
    const client = connect(server);
    expect((await client.getJob({ jobId: 'a' })).job).toMatchObject({ id: 'a', error: 'größer ✓' });
    await expect(client.getJob({ jobId: 'b' })).rejects.toMatchObject({
      code: 'not_found',
      message: 'no job "b" – look again',
      field: 'job_id',
      retryable: true,
    });
  });

  it('wants the token where one is set, and says which of the two mistakes it was', async () => {
    const server = await start({ getJob: () => ({}) }, { token: 'correct horse' });
    await expect(connect(server).getJob({})).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('Bearer') as string,
    });
    await expect(connect(server, 'wrong').getJob({})).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('not the one') as string,
    });
    await expect(connect(server, 'correct horse').getJob({})).resolves.toBeDefined();
    expect(server.metrics().find(({ method }) => method === GET_JOB)?.calls).toEqual({ UNAUTHENTICATED: 2, OK: 1 });
  });

  it('wants the token of the service, where that has one of its own', async () => {
    const admin = { ...defineService(AdminService, {} as Handlers<typeof AdminService>), token: 'the token of admins' };
    const store = { ...defineService(StoreService, { prune: () => ({}) } as unknown as Handlers<typeof StoreService>) };
    const server = await startServer({ services: [admin, { ...store, token: 'the token of stores' }], token: 'another' });
    const prune = (token: string): Promise<unknown> => {
      const client = createClient(StoreService, server.address, { token });
      return client.prune({}).finally(() => client.close());
    };
    try {
      for (const token of ['another', 'the token of admins'])
        await expect(prune(token)).rejects.toMatchObject({ code: 'unauthenticated' });
      await expect(prune('the token of stores')).resolves.toBeDefined();
    } finally {
      await server.stop();
    }
  });

  it('does not open to other machines without a token', async () => {
    await expect(startServer({ host: '0.0.0.0', services: [] })).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'token',
    });
    const admin = { ...defineService(AdminService, {} as Handlers<typeof AdminService>), token: 'the token of admins' };
    const open = defineService(StoreService, {} as Handlers<typeof StoreService>);
    await expect(startServer({ host: '0.0.0.0', services: [admin, open] })).rejects.toMatchObject({ field: 'token' });
    await expect(startServer({ services: [], token: '' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'token' });
  });

  it('says when the port is taken', async () => {
    const server = await start({});
    await expect(startServer({ services: [], port: server.port })).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'port',
    });
  });

  it('refuses unary calls without a deadline', async () => {
    const server = await start({ getJob: () => ({}) });
    const { error } = await rawCall(server, GET_JOB, Buffer.alloc(0));
    expect(error?.code).toBe(Status.INVALID_ARGUMENT);
    expect(error?.details).toMatch(/Set a deadline of at most 60 s/);
  });

  it('ends calls at their deadline and at its own cap, and tells the handler', async () => {
    const aborted: unknown[] = [];
    const waitForAbort = (_: unknown, { signal }: CallContext): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted.push((signal.reason as MillraceError).code);
          reject(signal.reason as Error);
        });
      });
    const server = await start({ getJob: waitForAbort }, { deadlineCapMs: 150 });
    const client = connect(server);
    await expect(client.getJob({}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'deadline_exceeded' });
    await expect(client.getJob({}, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: expect.stringContaining('0.15 s') as string,
    });
    await expect.poll(() => aborted.length).toBe(2);
    // The caller's own clock may be the first to end the call; the server then sees it leave.
    expect(['deadline_exceeded', 'cancelled']).toContain(aborted[0]);
  });

  it('lets callers cancel', async () => {
    let seen: CallContext | undefined;
    const server = await start({
      getJob: (_request, context) => {
        seen = context;
        return new Promise(() => {});
      },
    });
    const controller = new AbortController();
    const call = connect(server).getJob({}, { signal: controller.signal });
    await expect.poll(() => seen).toBeDefined();
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => seen?.signal.aborted).toBe(true);
  });

  it('limits the calls of one peer, not health checks', async () => {
    const server = await start({ getJob: () => ({}) }, { rateLimit: { perSecond: 0.001, burst: 2 } });
    const client = connect(server);
    await client.getJob({});
    await client.getJob({});
    await expect(client.getJob({})).rejects.toMatchObject({ code: 'resource_exhausted', retryable: true });
    expect((await rawCall(server, '/grpc.health.v1.Health/Check', Buffer.alloc(0))).error).toBeNull();
  });

  it('gives every call a trace id, the caller’s own when it has one', async () => {
    const ids: string[] = [];
    const server = await start({
      getJob: (_request, { traceId }) => {
        ids.push(traceId);
        return {};
      },
    });
    const metadata = new Metadata();
    const id = '0af7651916cd43dd8448eb211c80319c';
    metadata.set('traceparent', `00-${id}-b7ad6b7169203331-01`);
    const { trailers } = await rawCall(server, GET_JOB, Buffer.alloc(0), { deadline: Date.now() + 5000, metadata });
    const other = await rawCall(server, GET_JOB, Buffer.alloc(0), { deadline: Date.now() + 5000 });
    expect(ids[0]).toBe(id);
    expect(trailers?.get(TRACE_KEY)).toEqual([id]);
    expect(other.trailers?.get(TRACE_KEY)).toEqual([ids[1]]);
    expect(ids[1]).toMatch(/^[0-9a-f]{32}$/);
  });

  it('counts calls, failures and time', async () => {
    const server = await start({
      getJob: ({ jobId }) => {
        if (jobId === '') throw new Error('broken');
        return {};
      },
    });
    const client = connect(server);
    await client.getJob({ jobId: 'a' });
    await client.getJob({ jobId: 'a' });
    await expect(client.getJob({})).rejects.toMatchObject({ code: 'internal', message: 'broken' });
    const metrics = server.metrics().find(({ method }) => method === GET_JOB);
    expect(metrics).toMatchObject({ active: 0, calls: { OK: 2, INTERNAL: 1 } });
    expect(metrics?.latency.reduce((a, b) => a + b)).toBe(3);
  });

  it('streams as fast as the reader reads, and stops when the reader leaves', async () => {
    let produced = 0;
    let finished = false;
    const server = await start({
      query: async function* () {
        try {
          for (; produced < 5000; produced++) yield { rowsJson: ['x'.repeat(100_000)] };
        } finally {
          finished = true;
        }
      },
    });
    let read = 0;
    for await (const { rowsJson } of connect(server).query({ sql: 'x' })) {
      expect(rowsJson[0]).toHaveLength(100_000);
      read += 1;
      if (read === 50) break;
    }
    await expect.poll(() => finished).toBe(true);
    // What fits the buffers of both sides, and no more.
    expect(produced).toBeLessThan(500);
  });

  it('ends open streams when it stops', async () => {
    const server = await start({
      watchJob: async function* (_request, { signal }) {
        yield { job: { id: 'a' } };
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      },
    });
    const stream = connect(server).watchJob({ jobId: 'a' })[Symbol.asyncIterator]();
    expect((await stream.next()).value?.job?.id).toBe('a');
    const next = stream.next();
    const started = performance.now();
    await Promise.all([
      server.stop(5000),
      expect(next).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('stopping') as string }),
    ]);
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('refuses messages beyond the limit, on either side', async () => {
    const server = await start({ getJob: () => ({ job: { error: 'x'.repeat(MAX_MESSAGE_BYTES + 1) } }) });
    const client = connect(server);
    await expect(client.getJob({})).rejects.toMatchObject({ code: 'resource_exhausted' });
    await expect(client.createJob({ configJson: 'x'.repeat(MAX_MESSAGE_BYTES + 1) })).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
  });

  it('answers garbage, unknown methods and foreign protocols, and lives on', async () => {
    const server = await start({ getJob: () => ({}), watchJob: async function* () {} });
    const soon = () => ({ deadline: Date.now() + 5000 });
    for (const path of [GET_JOB, '/millrace.v1.AdminService/WatchJob']) {
      const { error } = await rawCall(server, path, Buffer.from([0xff, 0xff, 0xff, 0x07, 0x00]), soon());
      expect(error?.code).toBe(Status.INVALID_ARGUMENT);
      expect(error?.details).toMatch(/not a valid millrace\.v1\./);
    }
    const unknown = await rawCall(server, '/millrace.v1.AdminService/Nothing', Buffer.alloc(0), soon());
    expect(unknown.error?.code).toBe(Status.UNIMPLEMENTED);
    expect(unknown.error?.details).toMatch(/Nothing/);
    for (const headers of [
      { ':method': 'GET', ':path': '/' },
      { ':method': 'POST', ':path': '/\u00ff\u0080', 'content-type': 'application/grpc' },
      { ':method': 'POST', ':path': GET_JOB, 'content-type': 'application/grpc', 'grpc-timeout': '99999999999H' },
      { ':method': 'POST', ':path': GET_JOB, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip', 'grpc-timeout': '2S' },
      {
        ':method': 'POST',
        ':path': GET_JOB,
        'content-type': 'application/grpc',
        authorization: 'Bearer \u00e9',
        'grpc-timeout': '2S',
      },
    ]) {
      await rawHttp2(server.port, headers, Buffer.from([1, 0, 0, 0, 3, 1, 2, 3]));
    }
    await rawHttp2(
      server.port,
      { ':method': 'POST', ':path': GET_JOB, 'content-type': 'application/grpc' },
      Buffer.from([0, 0xff, 0xff, 0xff, 0xff]),
    );
    await expect(connect(server).getJob({})).resolves.toBeDefined();
  });

  it('answers health checks, also of services by name, and turns them off when told', async () => {
    const server = await start({});
    const check = async (name: string): Promise<number | undefined> => {
      const request = Buffer.concat([Buffer.from([10, name.length]), Buffer.from(name)]);
      return (await rawCall(server, '/grpc.health.v1.Health/Check', name === '' ? Buffer.alloc(0) : request)).error?.code;
    };
    expect(await check('')).toBeUndefined();
    expect(await check('millrace.v1.AdminService')).toBeUndefined();
    expect(await check('nobody')).toBe(Status.NOT_FOUND);
    const status = async (): Promise<unknown> => [
      ...((await rawCall(server, '/grpc.health.v1.Health/Check', Buffer.alloc(0))).response ?? []),
    ];
    expect(await status()).toEqual([8, 1]); // field 1 = SERVING
    server.setServing('', false);
    expect(await status()).toEqual([8, 2]); // field 1 = NOT_SERVING
  });
});

/** One HTTP/2 request whose answer does not matter, only that there is one or the stream is closed. */
function rawHttp2(port: number, headers: http2.OutgoingHttpHeaders, body: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    const done = (): void => {
      session.destroy();
      resolve();
    };
    session.on('error', done);
    const stream = session.request(headers);
    stream.on('error', done).on('close', done).resume();
    stream.end(body);
  });
}
