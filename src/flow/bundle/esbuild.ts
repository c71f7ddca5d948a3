import type { BuildFailure, BuildOptions, OutputFile } from 'esbuild';
import { MillraceError } from '../../errors.ts';

/** Builds under way; esbuild works in a process of its own, which is ended with the last one. */
let builds = 0;

/**
 * Runs esbuild without writing anything.
 * @returns what it would have written
 * @throws MillraceError invalid_argument with the place when a module cannot be read or resolved
 */
export async function build(options: BuildOptions): Promise<OutputFile[]> {
  const esbuild = await import('esbuild');
  builds += 1;
  try {
    return (await esbuild.build({ ...options, write: false })).outputFiles;
  } catch (thrown) {
    const [problem] = (thrown as Partial<BuildFailure>).errors ?? [];
    if (problem === undefined) throw thrown;
    if (problem.detail instanceof MillraceError) throw problem.detail;
    const { location, text } = problem;
    const folder = options.absWorkingDir === '/' ? '' : (options.absWorkingDir ?? '');
    const place = location === null ? '' : `${folder}/${location.file}:${location.line}:${location.column + 1}: `;
    throw new MillraceError('invalid_argument', `${place}${text}`, { cause: thrown, field: 'flow' });
  } finally {
    builds -= 1;
    if (builds === 0) await esbuild.stop();
  }
}
