import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { HTTP_SCOPES } from '../../../src/access/required.ts';
import { TEST_CLIENTS } from '../clients.fixture.ts';
import type { Route } from '../routes.ts';
import { startGateway, type RunningGateway } from '../server.ts';
import { Feed } from './feed.ts';
import { liveUpgrade, type LiveLimits, type LiveMessage } from './live.ts';
import { loginRoutes } from './login.ts';
import { pageRoutes } from './page.ts';
import { Sessions } from './sessions.ts';

const scopes = { ...HTTP_SCOPES, 'POST /change': 'train', 'GET /look': 'read' } as const;
const SECRET = 'the secret of the cookies';
const folder = mkdtempSync(join(tmpdir(), 'millrace-workbench-'));
let gateway: RunningGateway;
let feed: Feed;
let released = 0;
let now = 1_000_000;

beforeAll(() => {
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html>'.padEnd(2000));
  writeFileSync(join(folder, 'assets', 'main-ABC.js'), 'run()');
  writeFileSync(join(folder, 'assets', 'main-ABC.js.map'), '{}');
});
afterEach(() => gateway.stop(0));
afterAll(() => rmSync(folder, { recursive: true }));

const change: Route = { method: 'POST', path: '/change', handle: ({ caller }) => ({ json: { name: caller!.name } }) };
const look: Route = { method: 'GET', path: '/look', handle: ({ caller }) => ({ json: { name: caller!.name } }) };

async function start(limits: Partial<LiveLimits> = {}): Promise<string> {
  const sessions = new Sessions(SECRET, false, () => now);
  feed = new Feed();
  gateway = await startGateway({
    routes: [...loginRoutes(sessions, TEST_CLIENTS), ...pageRoutes(folder), change, look],
    authenticator: TEST_CLIENTS,
    scopes,
    session: ({ headers }) => sessions.find(headers),
    upgrades: [liveUpgrade({ jobs: { open: () => ({ feed, release: () => (released += 1) }) } }, { pauseMs: 1, ...limits })],
    log: pino({ level: 'silent' }),
  });
  return gateway.url;
}

const encoded = (name: string): string => Buffer.from(name).toString('base64url');
const ticketOf = async (url: string, token = 'writer'): Promise<string> => {
  const response = await fetch(`${url}/login/ticket`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  return ((await response.json()) as { ticket: string }).ticket;
};
const logIn = (url: string, body: object): Promise<Response> =>
  fetch(`${url}/session`, { method: 'POST', body: JSON.stringify(body) });
const cookieOf = (response: Response): string => response.headers.get('set-cookie')!.split(';')[0]!;
async function browser(url: string): Promise<{ cookie: string; csrf: string }> {
  const response = await logIn(url, { ticket: await ticketOf(url) });
  return { cookie: cookieOf(response), csrf: ((await response.json()) as { csrf: string }).csrf };
}

describe('the page', () => {
  it('is served to everybody with nothing but its own files, which may be kept for ever', async () => {
    const url = await start();
    const page = await fetch(url);
    expect([page.status, page.headers.get('content-type'), page.headers.get('cache-control')]).toEqual([
      ...[200, 'text/html; charset=utf-8', 'no-cache'],
    ]);
    expect(page.headers.get('content-encoding')).toBe('gzip');
    expect((await page.text()).trim()).toBe('<!doctype html>');
    const policy = page.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|sandbox/);
    const script = await fetch(`${url}/assets/main-ABC.js`);
    expect([script.status, script.headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    for (const path of ['/assets/main-ABC.js.map', '/assets/', '/assets/../index.html', '/index.html'])
      expect((await fetch(url + path)).status, path).not.toBe(200);
  });
});

describe('a login', () => {
  it('takes the ticket of a link once, and not after ten minutes', async () => {
    const url = await start();
    const ticket = await ticketOf(url);
    const first = await logIn(url, { ticket });
    expect([first.status, await first.json()]).toMatchObject([
      200,
      { name: 'gateway-write.token', scopes: ['train', 'serve', 'read'] },
    ]);
    expect(first.headers.get('set-cookie')).toMatch(/; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    expect((await logIn(url, { ticket })).status).toBe(401);
    const late = await ticketOf(url);
    now += 10 * 60_000;
    expect((await logIn(url, { ticket: late })).status).toBe(401);
  });

  it('takes a token of the gateway, but none of scope metrics, and no other body', async () => {
    const url = await start();
    expect(await (await logIn(url, { token: 'reader' })).json()).toMatchObject({ scopes: ['read'] });
    const bodies = [{ token: 'monitor' }, { token: 'wrong' }, { ticket: '' }, {}, { token: 'reader', ticket: 'x' }];
    expect(await Promise.all(bodies.map(async (body) => (await logIn(url, body)).status))).toEqual([403, 401, 400, 400, 400]);
  });

  it('gives links to scope train alone', async () => {
    const url = await start();
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/login/ticket`, { method: 'POST', headers })).status;
    expect([await status({}), await status({ authorization: 'Bearer reader' })]).toEqual([401, 403]);
  });

  it('holds at a gateway that was started again, until its time is over or the cookie is changed', async () => {
    const { cookie } = await browser(await start());
    await gateway.stop(0);
    const url = await start();
    const session = async (given: string): Promise<unknown> =>
      (await fetch(`${url}/session`, { headers: { cookie: given } })).json();
    expect(await session(`other=1; ${cookie}`)).toMatchObject({ name: 'gateway-write.token' });
    expect(await session(cookie.replace(encoded('gateway-write.token'), encoded('gateway-admin.token')))).toBeNull();
    expect(await session(`${cookie}x`)).toBeNull();
    now += 12 * 3_600_000;
    expect(await session(cookie)).toBeNull();
  });

  it('changes something only with the token against forged requests', async () => {
    const url = await start();
    const { cookie, csrf } = await browser(url);
    const post = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${url}/change`, { method: 'POST', headers: { cookie, ...headers } })).status;
    expect([await post({}), await post({ 'x-millrace-csrf': 'wrong' }), await post({ 'x-millrace-csrf': csrf })]).toEqual([
      ...[403, 403, 200],
    ]);
    expect((await fetch(`${url}/look`, { headers: { cookie } })).status).toBe(200);
    const foreign = { cookie, 'x-millrace-csrf': csrf, origin: 'https://evil.example' };
    expect((await fetch(`${url}/change`, { method: 'POST', headers: foreign })).status).toBe(403);
  });

  it('ends when the browser logs out', async () => {
    const url = await start();
    const response = await fetch(`${url}/session`, { method: 'DELETE' });
    expect(response.headers.get('set-cookie')).toContain('Max-Age=0');
  });
});

/** A client that is subscribed, and what it was sent. */
async function client(
  url: string,
  headers: Record<string, string>,
  cursor = '',
): Promise<{ socket: WebSocket; messages: LiveMessage[] }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/live`, { headers });
  const messages: LiveMessage[] = [];
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as LiveMessage));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ subscribe: { jobs: cursor } }));
  return { socket, messages };
}

describe('the live connection', () => {
  it('is opened by a browser that is logged in, from the page itself', async () => {
    const url = await start();
    const { cookie } = await browser(url);
    const refused: Record<string, string>[] = [
      {},
      { authorization: 'Bearer monitor' },
      { cookie, origin: 'http://evil.example' },
      { cookie, host: 'evil.example' },
    ];
    for (const headers of refused) await expect(client(url, headers), JSON.stringify(headers)).rejects.toThrow(/40[13]/);
    const chrome = { cookie, origin: url, 'user-agent': 'Mozilla/5.0 Chrome/141' };
    const { socket } = await client(url, chrome);
    socket.close();
  });

  it('sends what there is, and then what changes', async () => {
    const url = await start();
    feed.set('a', { id: 'a', n: 1 });
    const { messages } = await client(url, { authorization: 'Bearer reader' });
    await expect.poll(() => messages.length).toBe(1);
    expect(messages[0]).toMatchObject({ feed: 'jobs', reset: true, items: [{ id: 'a', n: 1 }] });
    feed.set('a', { id: 'a', n: 2 });
    await expect.poll(() => messages[1]).toMatchObject({ reset: false, items: [{ id: 'a', n: 2 }] });
  });

  it('goes on where a client was before its connection broke', async () => {
    const url = await start();
    feed.set('a', { id: 'a' });
    const first = await client(url, { authorization: 'Bearer reader' });
    await expect.poll(() => first.messages.length).toBe(1);
    first.socket.terminate();
    feed.set('b', { id: 'b' });
    const second = await client(url, { authorization: 'Bearer reader' }, first.messages[0]!.cursor);
    await expect.poll(() => second.messages[0]).toMatchObject({ reset: false, items: [{ id: 'b' }] });
  });

  it('keeps nothing for a client that does not read: it gets the newest state later', async () => {
    const url = await start({ waitingBytes: 1000 });
    const { socket, messages } = await client(url, { authorization: 'Bearer reader' });
    const filler = 'x'.repeat(100_000);
    feed.set('a', { id: 'a', n: 0 });
    await expect.poll(() => messages.length).toBe(1);
    socket.pause();
    for (let n = 1; n <= 400; n += 1) {
      feed.set('a', { id: 'a', n, filler });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    socket.resume();
    await expect.poll(() => (messages.at(-1)?.items[0] as { n: number }).n).toBe(400);
    expect(messages.length).toBeLessThan(300);
  });

  it('lets a feed go when its reader leaves, and refuses what it does not understand', async () => {
    const url = await start();
    const before = released;
    const { socket } = await client(url, { authorization: 'Bearer reader' });
    socket.close();
    await expect.poll(() => released).toBe(before + 1);
    for (const text of ['no json', '{"subscribe":{"nothing":""}}', '{"subscribe":7}']) {
      const other = await client(url, { authorization: 'Bearer reader' });
      const closed = new Promise<number>((resolve) => other.socket.once('close', resolve));
      other.socket.send(text);
      expect(await closed, text).toBe(1008);
    }
  });

  it('has room for so many', async () => {
    const url = await start({ connections: 1 });
    await client(url, { authorization: 'Bearer reader' });
    await expect(client(url, { authorization: 'Bearer reader' })).rejects.toThrow(/429/);
  });
});
