import { describe, expect, it } from 'vitest';
import { foreignRequest } from './browser.ts';

const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36';
const of = (headers: Record<string, string>, localAddress = '127.0.0.1'): string | undefined =>
  foreignRequest({ headers, socket: { localAddress } } as unknown as Parameters<typeof foreignRequest>[0]);

describe('a request that is answered', () => {
  it.each<[string, Record<string, string>]>([
    ['curl', { host: '127.0.0.1:8123', 'user-agent': 'curl/7.88.1' }],
    ['HTTP/1.0 without a host', {}],
    ['localhost', { host: 'localhost:8123' }],
    ['a name below localhost', { host: 'millrace.localhost' }],
    ['another loopback address', { host: '127.8.9.1:8123' }],
    ['loopback of IPv6', { host: '[::1]:8123' }],
    ['the host of a container', { host: 'host.docker.internal:8123', 'user-agent': 'clickhouse-go/2.30 (lv:go/1.23)' }],
    ['what somebody typed into a browser', { host: 'localhost:8123', 'user-agent': CHROME, 'sec-fetch-site': 'none' }],
    ['a WebSocket of a page of its own', { host: '127.0.0.1:8123', 'user-agent': CHROME, origin: 'http://127.0.0.1:8123' }],
    [
      'a page of its own',
      { host: 'LocalHost:8123', 'user-agent': CHROME, 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8123' },
    ],
  ])('%s', (_, headers) => {
    expect(of(headers)).toBeUndefined();
  });

  it('names the address that the connection came in on', () => {
    expect(of({ host: '192.168.7.2:8123' }, '192.168.7.2')).toBeUndefined();
    expect(of({ host: '192.168.7.2:8123' }, '::ffff:192.168.7.2')).toBeUndefined();
    expect(of({ host: '192.168.7.3:8123' }, '192.168.7.2')).toMatch(/Host header/);
  });

  it('names the host that the server is known by', () => {
    const request = { headers: { host: 'Store-1.example:8123' }, socket: {} } as unknown as Parameters<typeof foreignRequest>[0];
    expect(foreignRequest(request, 'store-1.example')).toBeUndefined();
    expect(foreignRequest(request, 'store-2.example')).toMatch(/Host header/);
  });
});

describe('a request that is refused', () => {
  const page = { host: '127.0.0.1:8123', 'user-agent': CHROME };
  it.each<[string, Record<string, string>, RegExp]>([
    ['a name that was made to point here', { host: 'rebound.example:8123' }, /Host header/],
    ['a name that looks like a number', { host: '127.0.0.1.nip.io:8123' }, /Host header/],
    ['a name that begins like ours', { host: 'localhost.evil.example' }, /Host header/],
    ['a host that is empty', { host: '' }, /Host header/],
    ['every address', { host: '0.0.0.0:8123' }, /Host header/],
    ['an address of others', { host: '8.8.8.8' }, /Host header/],
    ['fetch of a page elsewhere', { ...page, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, /Origin/],
    ['fetch of a page in a sandbox, or of a file', { ...page, origin: 'null', 'sec-fetch-site': 'cross-site' }, /Origin/],
    ['fetch without Sec-Fetch', { host: '127.0.0.1:8123', origin: 'http://127.0.0.1:3000' }, /Origin/],
    ['its own address over another protocol', { host: '127.0.0.1:8123', origin: 'https://127.0.0.1:8123' }, /Origin/],
    ['two origins', { ...page, origin: 'http://127.0.0.1:8123, http://evil.example' }, /Origin/],
    ['<script>, <img>, a link', { ...page, 'sec-fetch-site': 'cross-site' }, /Sec-Fetch-Site/],
    ['<script> of another port of this machine', { ...page, 'sec-fetch-site': 'same-site' }, /Sec-Fetch-Site/],
    ['a site that nobody knows', { ...page, 'sec-fetch-site': 'sideways' }, /Sec-Fetch-Site/],
    ['<script> of a browser that does not say', page, /do not say where/],
    ['<script> by a name that is no secure context', { ...page, host: 'host.docker.internal:8123' }, /do not say where/],
  ])('%s', (_, headers, why) => {
    expect(of(headers)).toMatch(why);
  });
});
