import { isAbsolute } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/** A version of a job; undefined: the newest. */
export interface JobVersion {
  job: string;
  version: number | undefined;
}

/** Where a job's first weights are from. */
export type WeightSource = { checkpoint: string } | JobVersion;

const JOB_VERSION = /^([a-z0-9][a-z0-9-]{0,39})(?:@(\d{1,9}))?$/;

/** Reads `from` of a request: an absolute path, or `<job>[@<version>]`; undefined when it is empty. `invalid_argument` for all else. */
export function weightSource(from: string): WeightSource | undefined {
  if (from === '') return undefined;
  if (isAbsolute(from) && !from.includes('\0')) return { checkpoint: from };
  const found = jobVersion(from);
  if (found !== undefined) return found;
  const shown = JSON.stringify(from.length > 80 ? `${from.slice(0, 80)}…` : from);
  throw new MillraceError(
    'invalid_argument',
    `${shown} is neither <job>, <job>@<version> nor the absolute path of a checkpoint's folder.`,
    { field: 'from' },
  );
}

/** Reads `fork` of a request: `<job>[@<version>]`; undefined when it is empty. `invalid_argument` for all else. */
export function forkSource(fork: string): JobVersion | undefined {
  if (fork === '') return undefined;
  const found = jobVersion(fork);
  if (found !== undefined) return found;
  const shown = JSON.stringify(fork.length > 80 ? `${fork.slice(0, 80)}…` : fork);
  throw new MillraceError('invalid_argument', `${shown} is neither <job> nor <job>@<version>.`, { field: 'fork' });
}

function jobVersion(text: string): JobVersion | undefined {
  const match = JOB_VERSION.exec(text);
  return match === null ? undefined : { job: match[1]!, version: match[2] === undefined ? undefined : Number(match[2]) };
}
