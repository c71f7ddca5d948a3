import { isAbsolute } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/** Where a job's first weights are from. */
export type WeightSource = { checkpoint: string } | { job: string; version: number | undefined };

const JOB_VERSION = /^([a-z0-9][a-z0-9-]{0,39})(?:@(\d{1,9}))?$/;

/** Reads `from` of a request: an absolute path, or `<job>[@<version>]`; undefined when it is empty. `invalid_argument` for all else. */
export function weightSource(from: string): WeightSource | undefined {
  if (from === '') return undefined;
  if (isAbsolute(from) && !from.includes('\0')) return { checkpoint: from };
  const match = JOB_VERSION.exec(from);
  if (match !== null) return { job: match[1]!, version: match[2] === undefined ? undefined : Number(match[2]) };
  const shown = JSON.stringify(from.length > 80 ? `${from.slice(0, 80)}…` : from);
  throw new MillraceError(
    'invalid_argument',
    `${shown} is neither <job>, <job>@<version> nor the absolute path of a checkpoint's folder.`,
    { field: 'from' },
  );
}
