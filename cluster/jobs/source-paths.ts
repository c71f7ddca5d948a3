import { join, relative, sep } from 'node:path';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { CODE, type UnpackedBundle } from '../../src/flow/bundle/bundle.ts';

/** Puts the paths that the user knows in place of those in the unpacked bundle. */
export type RenamePaths = (text: string) => string;

/** {@link RenamePaths} for a job: its data, and the folder of its flow's files where that can be told from the flow's path. */
export function sourcePaths({ flow, data }: Pick<JobConfig, 'flow' | 'data'>, bundle: UnpackedBundle | undefined): RenamePaths {
  if (bundle === undefined) return (text) => text;
  const code = join(bundle.folder, CODE);
  const source = sep + relative(code, bundle.source);
  const paths: [string, string][] = [];
  if (bundle.data !== undefined && data !== undefined) paths.push([bundle.data, data]);
  if (flow.endsWith(source)) paths.push([code, flow.slice(0, -source.length)]);
  return (text) => paths.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

/** Waits for work whose errors are to be in the user's words. */
export async function withSourcePaths<R>(words: RenamePaths, work: Promise<R>): Promise<R> {
  try {
    return await work;
  } catch (thrown) {
    if (!(thrown instanceof MillraceError) || thrown.constructor !== MillraceError) throw thrown;
    const { code, message, retryable, field } = thrown;
    if (words(message) === message) throw thrown;
    throw new MillraceError(code, words(message), { retryable, cause: thrown, ...(field !== undefined && { field }) });
  }
}
