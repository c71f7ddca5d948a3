import { join } from 'node:path';
import { runInForeground } from '../setup/child.js';

/** Enough that a run must have reached every state that the simulation knows. */
const SEEDS = 10_000;

/** The whole cluster in simulation under the faults of many seeds: npm run simulate. */
export async function simulate(_options, root, { start = runInForeground } = {}) {
  const args = [join(root, 'scripts', 'simulate.js'), '--seeds', String(SEEDS)];
  const code = await start(process.execPath, args, { cwd: root, env: process.env });
  return code === 0 ? { passed: `${SEEDS} seeds` } : { failed: 'see above for seeds and how to run them again' };
}
