import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runQuietly } from './command.js';

const TIMEOUT_MS = 5 * 60_000;

/** Path of a program on the path or in one of the folders, or undefined. */
export function findProgram(name, folders = []) {
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...path, ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

/** Whether Debian's packages can be installed without a question: as root, with apt-get. */
export function canInstall() {
  return process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

/**
 * Installs Debian packages.
 *
 * @param onStart - gets the process's id
 * @returns undefined, or apt-get's last lines when it failed
 */
export async function aptInstall(packages, onStart) {
  // Nothing of this may ask a question or wait for ever: no terminal, no prompts, a bound on dpkg's lock.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none', NEEDRESTART_MODE: 'a' };
  const apt = (...args) =>
    runQuietly('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Acquire::Retries=2', ...args], {
      cwd: '/',
      env,
      timeoutMs: TIMEOUT_MS,
      onStart,
    });
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  let { code, tail } = await apt(...install);
  if (code !== 0) {
    // A fresh machine has no package lists yet, or old ones that name versions which are gone.
    const update = await apt('update');
    ({ code, tail } = await apt(...install));
    if (code !== 0 && update.code !== 0) tail = `${update.tail}\n${tail}`;
  }
  return code === 0 ? undefined : tail;
}

/** The command that a person runs to install Debian packages. */
export function aptCommand(packages) {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return `${sudo}sh -c 'apt-get update && apt-get install -y ${packages.join(' ')}'`;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
