import { join } from 'node:path';
import { findProgram } from '../setup/apt.js';
import { runInForeground } from '../setup/child.js';

/** Clusters on several NATS servers: every `*.accept.ts` of test/hosts (scripts/hosts/vitest.config.ts). */
export async function hosts(_options, root, { find = findOpenssl, start = runInForeground } = {}) {
  if (find() === undefined) return { skipped: 'openssl is not installed, which makes the certificates' };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'scripts', 'hosts', 'vitest.config.ts');
  const code = await start(process.execPath, [vitest, 'run', '--config', config], { cwd: root, env: process.env });
  return code === 0 ? { passed: 'three NATS servers on this machine' } : { failed: 'three NATS servers on this machine' };
}

const findOpenssl = () => findProgram('openssl', []);
