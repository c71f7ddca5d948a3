import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { HTTP_SCOPES } from '../../src/access/required.ts';
import { ERROR_CODES, MillraceError, type ErrorCode } from '../../src/errors.ts';
import { TestAuthority } from '../../src/identity/identity.fixture.ts';
import { openTlsIdentity } from '../../src/identity/tls-identity.ts';
import { TEST_CLIENTS } from './clients.fixture.ts';
import { standardRoutes, type Route } from './routes.ts';
import { startGateway, type GatewayOptions, type RunningGateway } from './server.ts';
import { HTTP_STATUS } from './status.ts';

const ROUTES = { 'POST /echo': 'train', 'GET /fail': 'open', 'GET /slow': 'open', 'GET /hang': 'open' } as const;
const clients = { authenticator: TEST_CLIENTS, scopes: { ...HTTP_SCOPES, ...ROUTES } };
const metrics = { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('up 1\n') };
let gateway: RunningGateway | undefined;
let checkReady = (): Promise<void> => Promise.resolve();
afterEach(() => gateway?.stop(0));

async function start(routes: readonly Route[] = [], options: Partial<GatewayOptions> = {}): Promise<RunningGateway> {
  gateway = await startGateway({
    routes: [...standardRoutes({ metrics, checkReady }), ...routes],
    ...{ ...clients, log: pino({ level: 'silent' }), ...options },
  });
  return gateway;
}

const echo: Route = {
  method: 'POST',
  path: '/echo',
  handle: ({ body, caller }) => ({ json: { body: String(body), caller: caller!.name } }),
};
const as = (token: string, more: RequestInit = {}): RequestInit => ({ ...more, headers: { authorization: `Bearer ${token}` } });

/** Status of a request with headers that `fetch` does not send. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}

/** A connection on which these bytes were sent; `said` is what has come back. */
async function sent(url: string, bytes: string): Promise<{ socket: Socket; said: () => string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => (said += text));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.write(bytes, resolve));
  return { socket, said: () => said };
}

/** Status of a GET, and a certificate for 127.0.0.1 that is asked for. */
function getSecure(url: string, ca: Buffer): Promise<{ status: number; fingerprint: string }> {
  return new Promise((resolve, reject) => {
    const request = secureRequest(url, { ca, agent: false }, (response) => {
      response.resume();
      const { fingerprint256: fingerprint } = (response.socket as TLSSocket).getPeerCertificate();
      resolve({ status: response.statusCode!, fingerprint });
    });
    request.on('error', reject).end();
  });
}

describe('the gateway with TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-gateway-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('serves HTTPS to clients without a certificate, and takes a new one of its own without a restart', async () => {
    const authority = await TestAuthority.make(folder);
    const tls = openTlsIdentity(await authority.issue('gateway'));
    const { url } = await start([], { tls });
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const before = await getSecure(`${url}/healthz`, tls.current.ca);
    expect(before.status).toBe(200);
    expect((await getSecure(`${url}/metrics`, tls.current.ca)).status).toBe(401);
    await expect(fetch(url.replace('https', 'http'))).rejects.toThrow();
    await authority.issue('gateway');
    tls.refresh();
    const after = await getSecure(`${url}/healthz`, tls.current.ca);
    expect([after.status, after.fingerprint === before.fingerprint]).toEqual([200, false]);
    tls.close();
  });
});

describe('the gateway', () => {
  it('says that it lives without a token, and metrics to scope metrics', async () => {
    const { url } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }]);
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(200);
    const scraped = await fetch(`${url}/metrics`, as('monitor'));
    expect([scraped.status, scraped.headers.get('content-type'), await scraped.text()]).toEqual([
      200,
      metrics.contentType,
      'up 1\n',
    ]);
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect(gateway!.stats()).toEqual({ answered: { 200: 3, 401: 1 }, running: 0 });
  });

  it('says to scope read whether the cluster can be asked', async () => {
    const { url } = await start();
    const status = async (token: string): Promise<number> => (await fetch(`${url}/readyz`, as(token))).status;
    expect([await status('reader'), await status('administrator'), await status('monitor')]).toEqual([200, 200, 403]);
    checkReady = () => Promise.reject(new MillraceError('unavailable', 'no coordinator'));
    const again = await start();
    const answer = await fetch(`${again.url}/readyz`, as('reader'));
    expect([answer.status, await answer.json()]).toMatchObject([503, { error: { code: 'unavailable', retryable: true } }]);
  });

  it('lets a token do what its scope includes', async () => {
    const { url } = await start([echo]);
    const post = async (init: RequestInit): Promise<unknown[]> => {
      const response = await fetch(`${url}/echo`, { ...init, method: 'POST', body: 'hello' });
      const { error, ...rest } = (await response.json()) as { error?: { code: string } };
      return [response.status, error?.code ?? rest];
    };
    expect(await post(as('writer'))).toEqual([200, { body: 'hello', caller: 'gateway-write.token' }]);
    expect(await post(as('administrator'))).toEqual([200, { body: 'hello', caller: 'gateway-admin.token' }]);
    expect(await post(as('reader'))).toEqual([403, 'permission_denied']);
    expect(await post(as('nonsense'))).toEqual([401, 'unauthenticated']);
    expect(await post({})).toEqual([401, 'unauthenticated']);
    await expect(start([{ ...echo, path: '/new' }])).rejects.toThrow(/what POST \/new takes is not in HTTP_SCOPES/);
  });

  it('maps every error code, and keeps internal messages', async () => {
    const failing: Route = {
      method: 'GET',
      path: '/fail',
      handle: ({ query }) => {
        throw new MillraceError(query.get('code') as ErrorCode, 'the message', { field: 'x' });
      },
    };
    const { url } = await start([failing]);
    for (const code of ERROR_CODES) {
      const response = await fetch(`${url}/fail?code=${code}`);
      const { error } = (await response.json()) as { error: { code: string; message: string; field: string } };
      expect([response.status, error.code, error.field]).toEqual([HTTP_STATUS[code], code, 'x']);
      expect(error.message === 'the message').toBe(code !== 'internal' && code !== 'data_loss');
    }
  });

  it('knows its paths and their methods', async () => {
    const { url } = await start([echo]);
    expect((await fetch(`${url}/none`, as('monitor'))).status).toBe(404);
    for (const path of ['/none', '/echo']) expect((await fetch(`${url}${path}`)).status).toBe(401);
    const wrong = await fetch(`${url}/echo`, as('reader'));
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
    await expect(start([echo, echo])).rejects.toThrow(/two routes for POST \/echo/);
  });

  it('refuses other hosts and web pages', async () => {
    const { url } = await start();
    expect(await statusOf(`${url}/healthz`, { host: 'rebound.example' })).toBe(403);
    expect(await statusOf(`${url}/healthz`, { origin: 'https://evil.example' })).toBe(403);
    expect(await statusOf(`${url}/healthz`, { host: new URL(url).host })).toBe(200);
  });

  it('bounds bodies, with and without a length', async () => {
    const { url } = await start([echo], { limits: { bodyBytes: 10 } });
    const send = async (body: RequestInit['body']): Promise<number> =>
      (await fetch(`${url}/echo`, { ...as('writer'), method: 'POST', body, duplex: 'half' } as RequestInit)).status;
    expect(await send('0123456789')).toBe(200);
    expect(await send('0123456789a')).toBe(413);
    expect(await send(new Blob(['0123456789', 'a']).stream())).toBe(413);
  });

  it('does not wait for bodies at paths without a token', async () => {
    const { url } = await start([echo], { limits: { concurrent: 2 } });
    const head = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx';
    for (let i = 0; i < 5; i++) {
      const { socket, said } = await sent(url, head);
      await expect.poll(said).toMatch(/^HTTP\/1\.1 200 OK/);
      expect(said()).toMatch(/Connection: close/);
      socket.destroy();
    }
    expect(gateway!.stats().answered).toEqual({ 200: 5 });
  });

  it('asks for a body only when it is let in', async () => {
    const { url } = await start([echo]);
    const head = (length: number, token: string): string =>
      `POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    for (const [bytes, status] of [
      [head(2, 'nonsense'), 401],
      [head(99_999_999, 'writer'), 413],
    ] as const) {
      const { said } = await sent(url, bytes);
      await expect.poll(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
    const { socket, said } = await sent(url, head(2, 'writer'));
    await expect.poll(said).toMatch(/^HTTP\/1\.1 100 Continue/);
    socket.write('ok');
    await expect.poll(said).toMatch(/HTTP\/1\.1 200 OK[^]*"body":"ok"/);
  });

  it.each(['//', '//evil:99999/', '/\\\\[', 'http://[', '*'])(
    'answers the target %s without an error of its own',
    async (target) => {
      const { url } = await start();
      const { said } = await sent(url, `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await expect.poll(said).toMatch(/^HTTP\/1\.1 40[01] /);
    },
  );

  it('takes a client that leaves within its body for no failure', async () => {
    const { url } = await start([echo]);
    const head = 'POST /echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer writer\r\nContent-Length: 9\r\n\r\nx';
    const { socket } = await sent(url, head);
    await expect.poll(() => gateway!.stats().running).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway!.stats()).toEqual({ answered: { 499: 1 }, running: 0 });
  });

  it('cuts off headers that do not end', async () => {
    const { url } = await start([], { limits: { requestMs: 200 } });
    const { socket } = await sent(url, 'GET /healthz HTTP/1.1\r\nX');
    const at = performance.now();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(performance.now() - at).toBeLessThan(5_000);
  });

  it('bounds rate, concurrency and time', async () => {
    const hanging: Route = { method: 'GET', path: '/hang', handle: () => new Promise(() => {}) };
    const { url } = await start([hanging], {
      limits: { rate: { perSecond: 0.001, burst: 4 }, concurrent: 1, requestMs: 300 },
    });
    const [first, second] = await Promise.all([fetch(`${url}/hang`), fetch(`${url}/hang`)]);
    expect([first.status, second.status].sort()).toEqual([429, 504]);
    await fetch(`${url}/healthz`);
    await fetch(`${url}/healthz`);
    const limited = await fetch(`${url}/healthz`);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('ends requests in good order, and cuts them off when they last', async () => {
    let finish = (): void => {};
    let signal: AbortSignal | undefined;
    let calls = 0;
    const slow: Route = {
      method: 'GET',
      path: '/slow',
      handle: (request) => {
        signal = request.signal;
        calls += 1;
        return new Promise((resolve) => (finish = () => resolve({ json: 'done' })));
      },
    };
    const { url } = await start([slow]);
    const answer = fetch(`${url}/slow`);
    await expect.poll(() => calls).toBe(1);
    const stopped = gateway!.stop(60_000);
    finish();
    expect(await (await answer).json()).toBe('done');
    await stopped;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();

    const again = await start([slow]);
    const cut = fetch(`${again.url}/slow`);
    const failed = expect(cut).rejects.toThrow();
    await expect.poll(() => calls).toBe(2);
    await again.stop(0);
    await failed;
    expect(signal!.aborted).toBe(true);
  });

  it('says that its port is taken', async () => {
    const { url } = await start();
    const port = Number(new URL(url).port);
    const second = startGateway({ routes: [], ...clients, log: pino({ level: 'silent' }), port });
    await expect(second).rejects.toMatchObject({ code: 'failed_precondition', field: 'port' });
  });
});
