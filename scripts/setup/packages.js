import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runQuietly } from './command.js';
import { withLock } from './lock.js';
import { say, SetupError } from './say.js';

const TIMEOUT_MS = 20 * 60_000;

/** Installs the npm packages that package-lock.json names, unless they are there already. */
export async function ensurePackages(root) {
  if (isInstalled(root)) return;
  await withLock(join(root, '.millrace', 'setup.lock'), async (holdFor) => {
    if (!isInstalled(root)) await install(root, holdFor);
  });
}

/** What was installed last: the lock file's content and the kind of machine it was installed for. */
function fingerprint(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

function stampOf(root) {
  return join(root, 'node_modules', '.millrace-installed');
}

/** Whether the npm packages are those that package-lock.json names. */
export function isInstalled(root) {
  // npm writes this file last: without it an installation was interrupted.
  const written = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(written)) return false;
  const wanted = fingerprint(root);
  if (existsSync(stampOf(root)) && readFileSync(stampOf(root), 'utf8') === wanted) return true;
  // Someone ran npm by hand after the lock file changed.
  if (statSync(written).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) return false;
  try {
    writeFileSync(stampOf(root), wanted);
  } catch {
    // Somebody else's checkout: it is looked up again next time.
  }
  return true;
}

async function install(root, onStart) {
  const began = Date.now();
  say('Installing npm packages (once; this takes about a minute) ...');
  const [command, ...args] = npmCommand();
  const options = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  const { code, tail } = await runQuietly(command, [...args, ...options], {
    cwd: root,
    env: { ...process.env, MILLRACE_SETUP: '1' },
    timeoutMs: TIMEOUT_MS,
    onStart,
  });
  if (code !== 0) {
    throw new SetupError(
      `${tail}\n\nInstalling the npm packages failed (npm ci ended with ${code}; its last lines are above). ${adviceFor(tail)}`,
    );
  }
  mkdirSync(dirname(stampOf(root)), { recursive: true });
  writeFileSync(stampOf(root), fingerprint(root));
  say(`Installed npm packages in ${Math.round((Date.now() - began) / 1000)} s.`);
}

/** The npm that runs us if there is one, else the one on the path. */
export function npmCommand() {
  const path = process.env.npm_execpath;
  return path !== undefined && /npm-cli\.c?js$/.test(path) ? [process.execPath, path] : ['npm'];
}

function adviceFor(tail) {
  if (/ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET|network/i.test(tail)) {
    return 'The package registry could not be reached: check the network and npm\'s "registry" and "proxy" settings, then try again.';
  }
  if (/ENOSPC/.test(tail)) return 'The disk is full: the packages take about 900 MB. Make room and try again.';
  if (/EACCES|EPERM/.test(tail)) return 'A file could not be written: make this folder and ~/.npm your own, then try again.';
  if (/EUSAGE|in sync/.test(tail))
    return 'package.json and package-lock.json differ: run "npm install && node scripts/lockfile.js", then try again.';
  return 'Try again with "npm ci" to see everything it prints.';
}
