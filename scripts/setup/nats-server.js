import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { aptCommand, aptInstall, canInstall, findProgram } from './apt.js';
import { withLock } from './lock.js';
import { say, SetupError } from './say.js';

/** Where Debian and people put it, on the path or not. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/local/bin'];

/**
 * Installs nats-server from Debian's packages when it is missing and that needs no question: as root, with apt-get.
 *
 * @param required - throw when it cannot be had; otherwise say so and go on
 * @param folders - where to look for it besides the path
 */
export async function ensureNatsServer(root, { required, folders = USUAL_FOLDERS }) {
  if (findNatsServer(folders) !== undefined) return;
  if (canInstall()) {
    const problem = await withLock(join(root, '.millrace', 'setup.lock'), (holdFor) =>
      findNatsServer(folders) === undefined ? install(folders, holdFor) : undefined,
    );
    if (problem === undefined) return;
    if (required) throw new SetupError(problem);
    say(problem);
    return;
  }
  const line = `nats-server is missing: run "${commandFor()}" and try again (or set NATS_SERVER to its path).`;
  if (required) throw new SetupError(line);
  say(line);
}

/** The same places as where the cluster looks: NATS_SERVER, the path, /usr/sbin, /usr/local/bin. */
export function findNatsServer(folders = USUAL_FOLDERS) {
  const named = process.env.NATS_SERVER;
  return named !== undefined && named !== '' ? named : findProgram('nats-server', folders);
}

async function install(folders, onStart) {
  const began = Date.now();
  say('Installing nats-server (once) ...');
  const tail = await aptInstall(['nats-server'], onStart);
  if (tail !== undefined || findNatsServer(folders) === undefined) {
    return `${tail ?? ''}\n\nInstalling nats-server failed (apt-get's last lines are above): run "${commandFor()}" and try again.`;
  }
  say(`Installed nats-server in ${Math.round((Date.now() - began) / 1000)} s.`);
  return undefined;
}

function commandFor() {
  if (existsSync('/usr/bin/apt-get')) return aptCommand(['nats-server']);
  if (process.platform === 'darwin') return 'brew install nats-server';
  return 'go install github.com/nats-io/nats-server/v2@latest';
}
