import { join } from 'node:path';
import { findProgram } from '../setup/apt.js';
import { runInForeground } from '../setup/child.js';

const PROGRAMS = ['podman', 'runc', 'debootstrap', 'iptables', 'python3'];

/** The cluster of deploy/compose.yaml in containers: images, a training with kills, the books. See deploy/test/compose.sh. */
export async function containers(
  _options,
  root,
  { find = (name) => findProgram(name, ['/usr/sbin']), start = runInForeground, isRoot = process.getuid?.() === 0 } = {},
) {
  const missing = PROGRAMS.filter((name) => find(name) === undefined);
  if (missing.length > 0) return { skipped: `${missing.join(', ')} not installed: apt-get install ${missing.join(' ')}` };
  if (!isRoot) return { skipped: 'only root can run it' };
  const code = await start('bash', [join(root, 'deploy', 'test', 'compose.sh')], { cwd: root, env: process.env });
  return code === 0 ? { passed: 'every role in containers, with podman' } : { failed: 'deploy/test/compose.sh' };
}
