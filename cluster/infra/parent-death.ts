import { accessSync, constants } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';

/**
 * Command prefix that has the kernel send `signal` to a child when this process is gone, even if it was killed outright.
 * Empty where that is not to be had: off Linux, and without util-linux.
 */
export function endsWithParent(signal: 'TERM' | 'KILL'): string[] {
  if (process.platform !== 'linux') return [];
  try {
    accessSync(SETPRIV, constants.X_OK);
  } catch {
    return [];
  }
  return [SETPRIV, '--pdeathsig', signal, '--'];
}
