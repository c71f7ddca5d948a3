import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeProvider, type FakeProvider } from '../src/model/testing/fake-provider.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { startGatewayLoad } from './support/gateway-load.ts';

/* A real gateway process that is killed in the middle of calls. MILLRACE_CHAOS_SECONDS: how long; by default three kills. */

const seconds = Number(process.env['MILLRACE_CHAOS_SECONDS'] ?? 0);
const kills = Math.max(3, Math.floor(seconds / 15));
const pauseMs = seconds === 0 ? 3_000 : 15_000;

let provider: FakeProvider;
let cluster: TestCluster;
beforeAll(async () => {
  provider = await startFakeProvider({
    script: ({ text }) => ({ text: `you asked ${text}, and this is the answer`, pieceMs: 15 }),
  });
  const providers = { lab: { url: `${provider.url}/v1` } };
  cluster = await startTestCluster({ learners: 1, rollouts: 1, gatewayPort: 0, providers });
});
afterAll(async () => {
  await cluster?.end();
  await provider?.close();
});

/** Id, status and text of every call. A query gives 10,000 rows at most. */
async function allCalls(): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  for (;;) {
    const after = (rows.at(-1)?.[0] ?? '') as string;
    const next = await cluster.rows(
      `SELECT call_id, status, JSONExtractString(response, 'choices', 1, 'message', 'content') FROM calls
       WHERE job = 'chaos' AND call_id > '${after}' ORDER BY call_id LIMIT 5000`,
    );
    rows.push(...next);
    if (next.length < 5000) return rows;
  }
}

describe('a gateway that is killed in the middle of calls', () => {
  it(
    'has every call that it has answered, once, and as it was answered',
    { timeout: 120_000 + kills * pauseMs * 2 },
    async () => {
      const token = readFileSync(join(cluster.stateDir, 'credentials', 'gateway-write.token'), 'utf8').trim();
      const url = cluster.gatewayUrl!;
      const body = JSON.stringify({ recording: 'chaos', task: { id: 'kills' } });
      const created = await fetch(`${url}/v1/sessions`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body });
      const { key } = (await created.json()) as { key: string };
      const load = startGatewayLoad({ url: () => url, key, clients: 16 });
      for (let kill = 0; kill < kills; kill += 1) {
        const before = load.answered.length;
        // Calls are answered again after each kill; then the next one comes in their middle.
        await expect.poll(() => load.answered.length, { timeout: 60_000 }).toBeGreaterThan(before + 32);
        await sleep(pauseMs / 3);
        cluster.kill('gateway');
      }
      const before = load.answered.length;
      await expect.poll(() => load.answered.length, { timeout: 60_000 }).toBeGreaterThan(before + 32);
      await load.stop();
      expect(load.broken).toBeGreaterThan(0);

      const stored = async (): Promise<number> =>
        Number((await cluster.rows(`SELECT count() FROM calls WHERE job = 'chaos' AND status = 'completed'`))[0]![0]);
      await expect.poll(stored, { timeout: 60_000 }).toBeGreaterThanOrEqual(load.answered.length);
      const rows = await allCalls();
      expect(new Set(rows.map(([id]) => id)).size, 'rows by call').toBe(rows.length);
      const kept = new Map(rows.map(([id, status, text]) => [id, `${String(status)}: ${String(text)}`]));
      const missing = load.answered.filter(({ id, text }) => kept.get(id) !== `completed: ${text}`);
      expect(missing).toEqual([]);
      if (seconds > 0)
        process.stdout.write(
          `${kills} kills, ${load.answered.length} calls answered, ${load.broken} broken, ${rows.length} rows\n`,
        );
    },
  );
});
