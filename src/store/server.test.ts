import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeConformance } from './conformance.ts';
import { EmbeddedEngine } from './embedded.ts';
import { encodeRows } from './encode.ts';
import { stepRow } from './fixtures.ts';
import { openStore } from './open.ts';
import { openServerStore, serverTarget } from './server.ts';

/**
 * ClickHouse's HTTP interface in front of the embedded engine: the statement is in `query` or is the body, data is the body,
 * `database` and `param_*` are in the URL, errors come with their number in a header. What it cannot show is what only a real
 * server has: users, quotas, other versions (set CLICKHOUSE_URL for those).
 */
class HttpFront {
  readonly #path = mkdtempSync(join(tmpdir(), 'millrace-http-'));
  readonly seen: { sql: string; settings: string[] }[] = [];
  password = '';
  #engine: EmbeddedEngine | undefined;
  #server: Server | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  async start(): Promise<string> {
    this.#engine = await EmbeddedEngine.open(this.#path, 1024 * 1024 * 1024);
    this.#server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => this.#server!.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
    await this.#engine?.close();
    rmSync(this.#path, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    let body: string;
    try {
      body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString('utf8');
    } catch {
      const text = 'Code: 354. DB::Exception: inflate failed: data error. (ZLIB_INFLATE_FAILED)';
      response.writeHead(500, { 'X-ClickHouse-Exception-Code': '354' }).end(text);
      return;
    }
    const url = new URL(request.url ?? '/', 'http://localhost');
    const query = url.searchParams.get('query');
    const sql = query === null ? body : `${query}\n${body}`;
    const known = /^(?:query|database|query_id|session_id|param_.*|enable_http_compression|role)$/;
    this.seen.push({ sql, settings: [...url.searchParams.keys()].filter((name) => !known.test(name)) });
    try {
      const login = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString();
      if (this.password !== '' && login !== `default:${this.password}`) {
        throw new Error('Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)');
      }
      response.end(await this.#run(sql, url.searchParams));
    } catch (error) {
      const { message } = error as Error;
      const text = message.includes('DB::Exception')
        ? message
        : `Code: ${(error as { code?: string }).code}. DB::Exception: ${message}`;
      response.writeHead(500, { 'X-ClickHouse-Exception-Code': /Code: (\d+)/.exec(text)?.[1] ?? '1' }).end(text);
    }
  }

  /** One statement at a time: the database is the connection's. */
  #run(sql: string, url: URLSearchParams): Promise<string> {
    const parameters: Record<string, string> = {};
    for (const [name, value] of url) if (name.startsWith('param_')) parameters[name.slice(6)] = value;
    const database = url.get('database');
    const turn = this.#turn.then(async () => {
      if (database !== null && database !== 'default') await this.#engine!.run(`USE ${database}`);
      return this.#engine!.run(sql, Object.keys(parameters).length > 0 ? { parameters } : {});
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

const front = new HttpFront();
let url = '';
beforeAll(async () => {
  url = await front.start();
});
afterAll(() => front.stop());

storeConformance('ClickHouse over HTTP', () => openServerStore({ url, database: `millrace_${randomBytes(4).toString('hex')}` }));

describe('openServerStore', () => {
  it('puts the settings of an insert into the statement', async () => {
    const store = await openStore({ url: `${url}/settings_db` });
    await store.migrate();
    front.seen.length = 0;
    await store.insert('steps', encodeRows('steps', [stepRow()]), "it's a token");
    await store.close();
    const [{ sql, settings }] = front.seen as [(typeof front.seen)[0]];
    expect(sql).toMatch(
      /^INSERT INTO steps \(job, .*\) SETTINGS insert_deduplication_token = 'it\\'s a token', async_insert = 0/,
    );
    expect(settings).not.toContain('insert_deduplication_token');
  });

  it('says that nothing answers, and that trying again may help', async () => {
    await expect(openServerStore({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/does not answer .* check that the server runs/) as string,
    });
  });

  it('says that the password is wrong', async () => {
    front.password = 'secret';
    await expect(openServerStore({ url, password: 'guess' })).rejects.toMatchObject({ code: 'unauthenticated' });
    await (await openServerStore({ url: url.replace('//', '//default:secret@') })).close();
    front.password = '';
  });

  it('takes user, password and database from the URL or the options', () => {
    expect(serverTarget({ url: 'https://ann:p%40ss@ch.example:8443/runs' })).toEqual({
      url: 'https://ch.example:8443',
      username: 'ann',
      password: 'p@ss',
      database: 'runs',
    });
    expect(serverTarget({ url: 'http://h:8123', username: 'u', password: 'p', database: 'd' })).toMatchObject({
      username: 'u',
      password: 'p',
      database: 'd',
    });
    expect(serverTarget({ url: 'http://h' })).toMatchObject({ username: 'default', password: '', database: 'millrace' });
  });

  it.each([
    [{ url: 'localhost:8123' }, 'url'],
    [{ url: 'tcp://h:9000' }, 'url'],
    [{ url: 'http://h/a-b' }, 'database'],
    [{ url: 'http://h', database: 'x; DROP' }, 'database'],
  ])('refuses %j', (options, field) => {
    expect(() => serverTarget(options)).toThrowError(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
  });

  it('is one of two ways to open a store', async () => {
    await expect(openStore({})).rejects.toMatchObject({ code: 'invalid_argument', field: 'path' });
    await expect(openStore({ url: '', path: '' })).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
