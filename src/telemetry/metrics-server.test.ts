import { expect, it } from 'vitest';
import { serveMetrics } from './metrics-server.ts';
import { createMetrics } from './metrics.ts';

it('serves what is counted, and nothing else', async () => {
  const metrics = createMetrics({ node: 'n1' });
  metrics.count('rounds_total', { job: 'a' }, 3);
  const server = await serveMetrics(metrics);
  try {
    const answer = await fetch(server.url);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(await answer.text()).toContain('millrace_rounds_total{job="a",node="n1"} 3');
    expect((await fetch(new URL('/', server.url))).status).toBe(404);
    expect((await fetch(server.url, { method: 'POST' })).status).toBe(405);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }] as Record<string, string>[])
      expect((await fetch(server.url, { headers })).status).toBe(403);
    const port = Number(new URL(server.url).port);
    await expect(serveMetrics(metrics, { port })).rejects.toMatchObject({ code: 'failed_precondition', field: 'metricsPort' });
  } finally {
    await server.close();
  }
});

it('says whether the process is alive and ready, and why not', async () => {
  const server = await serveMetrics(createMetrics({ node: 'n1' }), {
    health: {
      live: () => ({ ok: true, status: 'starting', reasons: [] }),
      ready: () => ({ ok: false, status: 'starting', reasons: ['making streams'] }),
    },
  });
  try {
    const alive = await fetch(new URL('/healthz', server.url));
    expect([alive.status, await alive.json()]).toEqual([200, { status: 'starting', reasons: [] }]);
    const ready = await fetch(new URL('/readyz', server.url));
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'starting', reasons: ['making streams'] }]);
    expect((await fetch(new URL('/healthz', server.url), { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
  } finally {
    await server.close();
  }
});
