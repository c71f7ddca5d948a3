import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/** Files that this process and its children make are for this account only. */
const PRIVATE_UMASK = 0o077;
/** What other accounts may do. */
const OTHERS = 0o077;

/**
 * Makes the state folder with its folder of logs, for this account only. In one that others could enter, what lies there is closed to
 * them as well. `failed_precondition` when that cannot be, or another account owns something in it. Returns the folder of logs.
 */
export function makeStateFolder(stateDir: string): string {
  const logs = join(stateDir, 'logs');
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const found = statSync(stateDir);
    checkOwner(stateDir, found);
    if ((found.mode & OTHERS) !== 0) {
      chmodSync(stateDir, 0o700);
      closeToOthers(stateDir);
    }
    mkdirSync(logs, { recursive: true, mode: 0o700 });
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError(
      'failed_precondition',
      `The state folder ${stateDir} cannot be made (${(cause as NodeJS.ErrnoException).code}); choose another one with --state.`,
      { cause },
    );
  }
  return logs;
}

/** Runs `make`, which starts something that writes into the state folder, so that no other account can read what that writes. */
export function withPrivateFiles<T>(make: () => T): T {
  const before = process.umask(PRIVATE_UMASK);
  try {
    return make();
  } finally {
    process.umask(before);
  }
}

/** From now on this process makes files for its own account only. Returns the umask that it had. */
export function keepFilesPrivate(): number {
  return process.umask(PRIVATE_UMASK);
}

function closeToOthers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isSymbolicLink()) continue;
    checkOwner(path, found);
    if ((found.mode & OTHERS) !== 0) chmodSync(path, found.mode & 0o700);
    if (found.isDirectory()) closeToOthers(path);
  }
}

/** What another account put there may be anything: jobs, credentials. */
function checkOwner(path: string, { uid }: Stats): void {
  const own = process.getuid?.();
  if (own === undefined || own === uid) return;
  throw new MillraceError(
    'failed_precondition',
    `${path} belongs to another account (uid ${uid}, this is ${own}); chown it, or choose another state folder with --state.`,
  );
}
