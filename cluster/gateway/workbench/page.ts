import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CODE_FOLDER } from '../../../src/installation.ts';
import type { GatewayRequest, Reply, Route } from '../routes.ts';

/**
 * Nothing but the page's own files runs or is loaded, no text becomes markup by a script, and no other page frames it.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};
/** The name of an asset changes with what is in it. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/**
 * The routes of the page: `/`, and its assets at names that change with their content. They hold nothing of the cluster, so they take no
 * token.
 *
 * @param folder - made by scripts/bundle/web.js. Default: that of the build which this process, or the processes of a test, run from
 */
export function pageRoutes(folder = builtPage()): Route[] {
  if (folder === undefined) return [fileRoute('/', Buffer.from(NOT_BUILT), 'text/html; charset=utf-8', 'no-cache')];
  const assets = join(folder, 'assets');
  return [
    fileRoute('/', readFileSync(join(folder, 'index.html')), 'text/html; charset=utf-8', 'no-cache'),
    ...readdirSync(assets)
      .filter((name) => TYPES[extname(name)] !== undefined)
      .map((name) => fileRoute(`/assets/${name}`, readFileSync(join(assets, name)), TYPES[extname(name)]!, FOR_EVER)),
  ];
}

const NOT_BUILT = '<!doctype html><title>Millrace</title><p>The workbench was not built; the log of the start says why.';

function builtPage(): string | undefined {
  const folders = [CODE_FOLDER, process.env['MILLRACE_BUILD'] ?? ''];
  return folders.map((folder) => join(folder, 'web')).find((folder) => existsSync(join(folder, 'assets')));
}

function fileRoute(path: string, content: Buffer, contentType: string, caching: string): Route {
  const compressed = gzipSync(content);
  const headers = { 'Content-Security-Policy': CONTENT_SECURITY_POLICY, 'Cache-Control': caching, Vary: 'Accept-Encoding' };
  const plain: Reply = { text: content, contentType, headers };
  const small: Reply = { text: compressed, contentType, headers: { ...headers, 'Content-Encoding': 'gzip' } };
  const takesGzip = (request: GatewayRequest): boolean => /\bgzip\b/.test(String(request.headers['accept-encoding']));
  return { method: 'GET', path, handle: (request) => (takesGzip(request) ? small : plain) };
}
