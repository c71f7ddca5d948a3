import { resolve } from 'node:path';

/** `--from` as the admin API takes it: what has a slash, or begins with a dot, is a folder here; all else a job. */
export function weightsFrom(from: string | undefined, cwd: string): string {
  if (from === undefined) return '';
  return /[/\\]|^\./.test(from) ? resolve(cwd, from) : from;
}

/** Help of `--from`. */
export const FROM =
  'start from these weights: the folder of a checkpoint, JOB (its newest version) or JOB@VERSION; all else begins anew';
