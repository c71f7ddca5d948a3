import { MillraceError } from '../../src/errors.ts';
import type { NodeContext } from '../runtime/context.ts';

/**
 * Deletes the code snapshots that no job's record names: of jobs that were refused or removed, and of failed jobs that were resumed with other code.
 * An ended job keeps its own: a failed one can be resumed, and others start from its weights. Nothing is deleted while a
 * record cannot be read, since it may name any of them.
 */
export async function deleteUnusedCode(context: Pick<NodeContext, 'code' | 'jobs' | 'log' | 'outside'>): Promise<void> {
  const { code, jobs, log } = context;
  if (code === undefined || jobs.unreadable().length > 0) return;
  const used = new Set(jobs.list().flatMap(({ record }) => record.code ?? []));
  try {
    const deleted = await context.outside(code.sweep(used));
    if (deleted.length > 0) log.info({ deleted }, 'code that no job uses any more was deleted');
  } catch (thrown) {
    log.warn({ err: MillraceError.from(thrown) }, 'unused code could not be deleted; tried again when a job ends');
  }
}
