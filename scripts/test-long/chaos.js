import { join } from 'node:path';
import { runInForeground } from '../setup/child.js';
import { findNatsServer } from '../setup/nats-server.js';

const node = process.execPath;

/**
 * Kills: of every process of a cluster that trains (test/kills.test.ts), and for minutes of the gateway in the middle of calls
 * (test/gateway-chaos.test.ts), and of the store and the generators while trajectories stream in (npm run bench -- ingest-chaos).
 */
export async function chaos({ minutes }, root, { find = findNatsServer, start = runInForeground } = {}) {
  if (find() === undefined) return { skipped: 'nats-server is not installed' };
  const runs = {
    'test/kills.test.ts': [join(root, 'scripts', 'test.js'), '--project', 'cluster', 'test/kills.test.ts'],
    'gateway-chaos': [join(root, 'scripts', 'test.js'), '--project', 'cluster', 'test/gateway-chaos.test.ts'],
    'ingest-chaos': [join(root, 'scripts', 'bench.js'), 'ingest-chaos', '--minutes', String(minutes)],
  };
  const failed = [];
  for (const [name, args] of Object.entries(runs)) {
    if ((await start(node, args, { cwd: root, env: { ...process.env, MILLRACE_CHAOS_SECONDS: String(minutes * 60) } })) !== 0)
      failed.push(name);
  }
  return failed.length > 0
    ? { failed: failed.join(', ') }
    : { passed: `test/kills.test.ts, and ${minutes} minutes each of gateway-chaos and ingest-chaos` };
}
