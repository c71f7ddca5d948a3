import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/** Makes the state folder with its folder of logs. `failed_precondition` when that cannot be. Returns the folder of logs. */
export function makeStateFolder(stateDir: string): string {
  const logs = join(stateDir, 'logs');
  try {
    mkdirSync(logs, { recursive: true });
  } catch (cause) {
    throw new MillraceError(
      'failed_precondition',
      `The state folder ${stateDir} cannot be made (${(cause as NodeJS.ErrnoException).code}); choose another one with --state.`,
      { cause },
    );
  }
  return logs;
}
