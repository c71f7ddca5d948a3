import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveMetrics } from '../../telemetry/metrics-server.ts';
import { createMetrics } from '../../telemetry/metrics.ts';
import { TOKEN, openTestPort } from './testing.ts';

/* What a page of another origin gets out of the port in a real browser, even when it knows the writer's password. */

// The program itself first: Debian's script around it takes an argument with spaces apart.
const CHROMIUM = ['/usr/lib/chromium/chromium', 'chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);

/** A page is shown within so long, or not at all. */
const PATIENCE_MS = 30_000;
/** A name that whoever owns it lets point at this machine. */
const REBOUND = 'rebound.example';

const WHERE = CHROMIUM === undefined ? 'in a browser (skipped: there is no chromium on this machine)' : `in ${CHROMIUM}`;

describe.skipIf(CHROMIUM === undefined)(`a web page ${WHERE}`, { timeout: 120_000 }, () => {
  const profile = mkdtempSync(join(tmpdir(), 'millrace-chromium-'));
  let port: Awaited<ReturnType<typeof openTestPort>>;
  beforeAll(async () => {
    port = await openTestPort();
  });
  afterAll(async () => {
    await port.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });

  function open(url: string, ...how: string[]): ChildProcessByStdio<null, Readable, null> {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${profile}`];
    const rules = `--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`;
    return spawn(CHROMIUM!, [...flags, rules, ...how, url], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  }

  /** With its helpers, which may outlive it. */
  function close({ pid }: { pid?: number | undefined }): void {
    try {
      process.kill(-pid!, 'SIGKILL');
    } catch {
      // There are none.
    }
  }

  /** The page's text, as the browser shows it when it has loaded. */
  function show(url: string): Promise<string> {
    const browser = open(url, '--dump-dom');
    const timer = setTimeout(close, PATIENCE_MS, browser);
    let text = '';
    browser.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    return new Promise((resolve, reject) => {
      browser.once('error', reject);
      browser.once('exit', () => {
        clearTimeout(timer);
        close(browser);
        setImmediate(() => resolve(text));
      });
    });
  }

  /** What a page of its own origin reports of what it tried. */
  async function report(script: string): Promise<Record<string, unknown>> {
    let reported: ((of: Record<string, unknown>) => void) | undefined;
    const report = new Promise<Record<string, unknown>>((resolve) => (reported = resolve));
    const html = `<!doctype html><body><iframe name="sink"></iframe><script>${script}</script>`;
    const site = createServer((request, response) => {
      if (request.method === 'POST') {
        let body = '';
        request.setEncoding('utf8').on('data', (more: string) => (body += more));
        request.on('end', () => reported!(JSON.parse(body) as Record<string, unknown>));
        response.end();
      } else response.writeHead(200, { 'content-type': 'text/html' }).end(request.url === '/' ? html : '');
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    try {
      const browser = open(`http://127.0.0.1:${(site.address() as AddressInfo).port}/`);
      try {
        return await Promise.race([report, sleep(PATIENCE_MS, { nothing: 'was reported' })]);
      } finally {
        close(browser);
      }
    } finally {
      site.closeAllConnections();
      site.close();
    }
  }

  const as = `user=writer&password=${TOKEN}`;

  it('of another origin reads and changes nothing, by none of the ways a browser has', async () => {
    const metrics = await serveMetrics(createMetrics({ node: 'n1' }));
    const found = await report(`
      const base = ${JSON.stringify(port.url)}, as = ${JSON.stringify(as)};
      const url = (sql, how = '') => base + '/?' + as + how + '&query=' + encodeURIComponent(sql);
      const load = (element, set) => new Promise((done) => {
        element.onload = () => done('loaded');
        element.onerror = () => done('error');
        set(element);
        document.body.append(element);
      });
      const text = (promise) => promise.then(async (r) => r.type + ' ' + r.status + ' ' + (await r.text()), () => 'error');
      (async () => {
        const found = {
          script: await load(document.createElement('script'), (e) => (e.src = url("SELECT 'window.stolen = 7' FORMAT TSVRaw"))),
          image: await load(new Image(), (e) => (e.src = url("SELECT '<svg xmlns=\\"http://www.w3.org/2000/svg\\"/>' FORMAT TSVRaw"))),
          style: await load(document.createElement('link'), (e) => ((e.rel = 'stylesheet'), (e.href = url('SELECT 1')))),
          read: await text(fetch(url('SELECT 42'))),
          blind: await text(fetch(url(''), { method: 'POST', mode: 'no-cors', body: 'CREATE TABLE blind (a Int8) ENGINE = Memory' })),
          plain: await text(fetch(url(''), { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'CREATE TABLE plain (a Int8) ENGINE = Memory' })),
          metrics: await text(fetch(${JSON.stringify(metrics.url)})),
        };
        const form = document.createElement('form');
        Object.assign(form, { method: 'post', enctype: 'text/plain', target: 'sink', action: url('') });
        const field = document.createElement('textarea');
        field.name = 'CREATE TABLE form (a Int8) ENGINE = Memory --';
        form.append(field);
        document.body.append(form);
        const framed = new Promise((done) => (document.querySelector('iframe').onload = done));
        form.submit();
        await Promise.race([framed, new Promise((done) => setTimeout(done, 2000))]);
        found.stolen = window.stolen ?? null;
        await fetch('/report', { method: 'POST', body: JSON.stringify(found) });
      })();`);
    expect(found).toEqual({
      script: 'error',
      image: 'error',
      style: 'error',
      read: 'error',
      blind: 'error',
      plain: 'error',
      metrics: 'error',
      stolen: null,
    });
    await metrics.close();
    const made = await (await port.client().query({ query: 'SHOW TABLES', format: 'TabSeparated' })).text();
    expect(made.split('\n').filter((name) => ['blind', 'plain', 'form'].includes(name))).toEqual([]);
  });

  it('opened by its address is answered, under a foreign host name it is not', async () => {
    const { host } = new URL(port.url);
    expect(await show(`http://${host}/?${as}&query=SELECT+6*7+FORMAT+JSON`)).toContain('42');
    const rebound = await show(`http://${host.replace('127.0.0.1', REBOUND)}/?${as}&query=SELECT+6*7+FORMAT+JSON`);
    expect(rebound).toMatch(/Not enough privileges: this port answers to localhost/);
  });
});
