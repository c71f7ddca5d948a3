import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeConformance } from './conformance.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow } from './fixtures.ts';
import { openFront } from './http/testing-front.ts';
import type { Front } from './http/testing-front.ts';
import { TOKEN } from './http/testing.ts';
import { openStore } from './open.ts';
import { readerOf } from './server-reader.ts';
import { openServerStore, serverTarget } from './server.ts';

/*
 * The server's store against the embedded engine's own HTTP port, in a process of its own. What that cannot show is what only a
 * real server has: users and roles of SQL, quotas, replicas, other versions (set CLICKHOUSE_URL for those).
 */
const login = { username: 'writer', password: TOKEN };
const database = (): string => `millrace_${randomBytes(4).toString('hex')}`;
const tlsFile = (name: string): string => fileURLToPath(new URL(`./http/tls/${name}`, import.meta.url));

let child: ChildProcess;
let url = '';
let front: Front;
beforeAll(async () => {
  child = fork(fileURLToPath(new URL('./http/testing-main.ts', import.meta.url)), [], { execArgv: ['--import', 'tsx'] });
  const [message] = (await once(child, 'message')) as [{ url: string }];
  url = message.url;
  front = await openFront(url);
}, 120_000);
afterAll(async () => {
  await front.close();
  child.disconnect();
  await once(child, 'exit');
}, 60_000);

storeConformance('ClickHouse over HTTP', () => openServerStore({ url, ...login, database: database() }));

/** What a server with users does, before a port that has none: makes the reader, and lets it in as one who only reads. */
async function withUsers(use: (url: string, seen: { user: string; sql: string }[]) => Promise<void>): Promise<void> {
  const seen: { user: string; sql: string }[] = [];
  let hash = '';
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const target = new URL(request.url ?? '/', url);
      const body = Buffer.concat(chunks);
      const sql = target.searchParams.get('query') ?? body.toString();
      const [user = '', password = ''] = Buffer.from(String(request.headers.authorization).slice(6), 'base64')
        .toString()
        .split(':');
      seen.push({ user, sql });
      hash = /^(?:CREATE|ALTER) USER .*BY '(\w+)'/.exec(sql)?.[1] ?? hash;
      if (/^(?:CREATE USER|ALTER USER|GRANT) /.test(sql)) return void response.end();
      const isReader = createHash('sha256').update(password).digest('hex') === hash;
      const as = isReader ? 'default:' : `${user}:${password}`;
      const onward = { authorization: `Basic ${Buffer.from(as).toString('base64')}` };
      const answer = await fetch(target, { method: 'POST', headers: onward, body });
      const code = answer.headers.get('x-clickhouse-exception-code');
      response.writeHead(answer.status, code === null ? {} : { 'X-ClickHouse-Exception-Code': code });
      response.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('the user for the SQL of people', () => {
  it('is made with the store, reads its database alone, and asks what people ask', async () => {
    await withUsers(async (target, seen) => {
      const name = database();
      const warnings: string[] = [];
      const store = await openServerStore({ url: target, ...login, database: name, warn: (message) => warnings.push(message) });
      expect(warnings).toEqual([]);
      const made = seen.map(({ sql }) => sql).filter((sql) => /USER|GRANT/.test(sql));
      const as = /IDENTIFIED WITH sha256_hash BY '[0-9a-f]{64}' SETTINGS readonly = 2$/.source;
      expect(made).toEqual([
        expect.stringMatching(`^CREATE USER IF NOT EXISTS \`${name}_reader\` ${as}`),
        expect.stringMatching(`^ALTER USER \`${name}_reader\` ${as}`),
        `GRANT SELECT ON \`${name}\`.* TO \`${name}_reader\``,
      ]);
      await store.migrate();
      await store.insert('steps', encodeRows('steps', [stepRow()]), 'one');
      seen.length = 0;
      expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[1]]);
      await store.stats();
      await store.close();
      const asked = (pattern: RegExp): string[] => seen.filter(({ sql }) => pattern.test(sql)).map(({ user }) => user);
      expect(asked(/^SELECT count\(\) FROM steps/)).toEqual([`${name}_reader`]);
      expect(asked(/^EXPLAIN/)).toEqual([`${name}_reader`]);
      expect(asked(/system\.parts/)).toContain('writer');
      // The user says so already, and a server refuses to hear it twice.
      expect(seen.filter(({ user, sql }) => user === `${name}_reader` && /readonly/.test(sql))).toEqual([]);
    });
  });

  it('is missed in one line where it cannot be made, and people still only read', async () => {
    const warnings: string[] = [];
    const store = await openServerStore({ url, ...login, database: database(), warn: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      expect.stringMatching(/^SQL of people runs as ClickHouse user writer, for \w+_reader cannot be made/),
    ]);
    expect((await store.query('SELECT 1')).rows).toEqual([[1]]);
    await store.close();
  });

  it('has a password of its own in each database', () => {
    const reader = (given: object): string => readerOf({ database: 'd', username: 'u', password: 'p', ...given }).password;
    expect(new Set([reader({}), reader({ database: 'e' }), reader({ username: 'v' }), reader({ password: 'q' })]).size).toBe(4);
    const made = readerOf({ database: 'd', username: 'u', password: 'p' });
    const statements = made.statements('main');
    expect(statements.join(' ')).not.toContain(made.password);
    expect(statements.every((statement) => statement.includes("ON CLUSTER 'main'"))).toBe(true);
  });
});

describe('openServerStore', () => {
  it('puts the settings of an insert into the statement, and waits for its end', async () => {
    const store = await openStore({ url: `${front.url}/settings_db`, ...login });
    await store.migrate();
    front.seen.length = 0;
    await store.insert('steps', encodeRows('steps', [stepRow()]), "it's a token");
    await store.close();
    const [{ query, parameters }] = front.seen as [(typeof front.seen)[0]];
    expect(query).toMatch(
      /^INSERT INTO steps \(job, .*\) SETTINGS insert_deduplication_token = 'it\\'s a token', async_insert = 0/,
    );
    expect(parameters.has('insert_deduplication_token')).toBe(false);
    expect(parameters.get('wait_end_of_query')).toBe('1');
    expect(parameters.get('database')).toBe('settings_db');
  });

  it('sends again what a broken connection lost, once in the store', async () => {
    const store = await openServerStore({ url: front.url, ...login, database: database() });
    await store.migrate();
    front.breakNext(2);
    await store.insert('steps', encodeRows('steps', [stepRow()]), 'again');
    front.breakNext(1);
    expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[1]]);
    front.breakNext(3);
    await expect(store.query('SELECT 1')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await store.close();
  });

  it('says that nothing answers, and that trying again may help', async () => {
    await expect(openServerStore({ url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/does not answer .* check that the server runs/) as string,
    });
  });

  it('says that the password is wrong, and that a user may not write', async () => {
    await expect(openServerStore({ url, username: 'writer', password: 'guess' })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    await expect(openServerStore({ url })).rejects.toMatchObject({ code: 'permission_denied' });
    await (await openServerStore({ url: url.replace('//', `//writer:${TOKEN}@`) })).close();
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

describe('a server with TLS', () => {
  const [ca, cert, key] = ['ca.pem', 'server.pem', 'server.key'].map((name) => readFileSync(tlsFile(name))) as [
    Buffer,
    Buffer,
    Buffer,
  ];

  it('is trusted with the file of its authority, and not without', async () => {
    const secure = await openFront(url, { tls: { cert, key } });
    try {
      const store = await openServerStore({ url: secure.url, ...login, database: database(), caFile: tlsFile('ca.pem') });
      await store.migrate();
      await store.insert('steps', encodeRows('steps', [stepRow()]), 'over-tls');
      expect((await store.query('SELECT count() FROM steps')).rows).toEqual([[1]]);
      await store.close();
      await expect(openServerStore({ url: secure.url, ...login })).rejects.toMatchObject({
        code: 'failed_precondition',
        message: expect.stringContaining('CLICKHOUSE_CA_FILE') as string,
      });
    } finally {
      await secure.close();
    }
  });

  it('may want a certificate of the client', async () => {
    const secure = await openFront(url, { tls: { cert, key, ca, requestCert: true, rejectUnauthorized: true } });
    const files = { caFile: tlsFile('ca.pem'), certFile: tlsFile('client.pem'), keyFile: tlsFile('client.key') };
    try {
      const store = await openServerStore({ url: secure.url, ...login, database: database(), ...files });
      expect((await store.query('SELECT 1')).rows).toEqual([[1]]);
      await store.close();
      expect(secure.seen[0]).toMatchObject({ certificate: 'client', headers: { 'x-clickhouse-ssl-certificate-auth': 'on' } });
      await expect(openServerStore({ url: secure.url, ...login, caFile: files.caFile })).rejects.toMatchObject({
        code: expect.stringMatching(/unavailable|failed_precondition/) as string,
      });
    } finally {
      await secure.close();
    }
  });

  it.each([
    [{ certFile: 'x' }, 'clickhouse.caFile'],
    [{ caFile: '/nowhere/ca.pem' }, 'clickhouse.caFile'],
    [{ caFile: tlsFile('ca.pem'), certFile: tlsFile('client.pem') }, 'clickhouse.caFile'],
    [{ caFile: tlsFile('ca.pem'), certFile: '/nowhere', keyFile: tlsFile('client.key') }, 'clickhouse.certFile'],
  ])('needs files that are there and belong together: %j', async (files, field) => {
    await expect(openServerStore({ url: 'https://127.0.0.1:9', ...files })).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
    });
  });
});
