import { join } from 'node:path';
import { runInForeground } from '../setup/child.js';
import { resultOf } from './result-of.js';

const SYSTEMS = ['linux-x64', 'linux-arm64', 'darwin-arm64'];

/**
 * The unit tests, a cluster that loses a worker, and a training of twenty rounds on other versions of Node.js, which npm has as packages:
 * see scripts/test-on-node.sh.
 */
export async function nodes(
  { versions },
  root,
  { system = `${process.platform}-${process.arch}`, start = runInForeground } = {},
) {
  if (!SYSTEMS.includes(system)) return { skipped: `npm has no Node.js for ${system}` };
  const view = await resultOf('npm', ['view', `node-${system}@${versions[0]}`, 'version', '--json'], { cwd: root });
  if (view.code !== 0) return { skipped: `npm does not give package node-${system}@${versions[0]}: ${view.problem}` };
  const failed = [];
  for (const version of versions) {
    const code = await start(join(root, 'scripts', 'test-on-node.sh'), [version], { cwd: root, env: process.env });
    if (code !== 0) failed.push(version);
  }
  return failed.length > 0 ? { failed: `on Node.js ${failed.join(', ')}` } : { passed: `on Node.js ${versions.join(', ')}` };
}
