import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runQuietly } from './command.js';
import { withLock } from './lock.js';
import { say, SetupError } from './say.js';

const TIMEOUT_MS = 5 * 60_000;

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
  if (process.getuid?.() === 0 && findProgram('apt-get', []) !== undefined) {
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
function findNatsServer(folders) {
  const named = process.env.NATS_SERVER;
  return named !== undefined && named !== '' ? named : findProgram('nats-server', folders);
}

function findProgram(name, folders) {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...path, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function install(folders, onStart) {
  const began = Date.now();
  say('Installing nats-server (once) ...');
  // Nothing of this may ask a question or wait for ever: no terminal, no prompts, a bound on dpkg's lock.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none', NEEDRESTART_MODE: 'a' };
  const apt = (...args) =>
    runQuietly('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=2', ...args], {
      cwd: '/',
      env,
      timeoutMs: TIMEOUT_MS,
      onStart,
    });
  const packages = ['install', '-y', '--no-install-recommends', 'nats-server'];
  let { code, tail } = await apt(...packages);
  if (code !== 0) {
    // A fresh machine has no package lists yet, or old ones that name versions which are gone.
    const update = await apt('update');
    ({ code, tail } = await apt(...packages));
    if (code !== 0 && update.code !== 0) tail = `${update.tail}\n${tail}`;
  }
  if (code !== 0 || findNatsServer(folders) === undefined) {
    return `${tail}\n\nInstalling nats-server failed (apt-get's last lines are above): run "${commandFor()}" and try again.`;
  }
  say(`Installed nats-server in ${Math.round((Date.now() - began) / 1000)} s.`);
  return undefined;
}

function commandFor() {
  if (existsSync('/usr/bin/apt-get'))
    return `${process.getuid?.() === 0 ? '' : 'sudo '}sh -c 'apt-get update && apt-get install -y nats-server'`;
  if (process.platform === 'darwin') return 'brew install nats-server';
  return 'go install github.com/nats-io/nats-server/v2@latest';
}
