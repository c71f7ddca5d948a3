import type { ActorContext } from '../../src/actor/behaviour.ts';
import { MillraceError } from '../../src/errors.ts';
import type { HoldProgress } from '../../src/protocol/progress.ts';
import type { DispatchProgress } from '../../src/protocol/progress.ts';
import { progressText, type LoadProgress } from '../../src/tasks/progress.ts';
import { BUNDLE_DAMAGED, isBundleDamage } from '../holds/loadable.ts';
import { loadWithRetries } from '../holds/load-with-retries.ts';
import { taskPlan, type TaskPlan } from '../jobs/tasks.ts';
import type { CoordinatedJob } from './coordinated-job.ts';

/**
 * Loads the tasks of a job, and says how far that is.
 *
 * @param report sends progress
 * @returns the tasks, or why they cannot be loaded where trying again does not help (the flow is gone, its data is wrong)
 */
export async function loadJobTasks(
  { context, id, record }: CoordinatedJob,
  actor: Pick<ActorContext<never>, 'waitingFor' | 'signal'>,
  report: (progress: DispatchProgress) => void,
): Promise<TaskPlan | { failure: string }> {
  const say = (waitingFor: string, progress: DispatchProgress): void => {
    actor.waitingFor(waitingFor);
    report(progress);
  };
  const onProgress = (progress: LoadProgress): void =>
    say(`its tasks to be loaded: ${progressText(progress)}`, { loading: progressText(progress) });
  const onWait = (hold?: HoldProgress): void =>
    say(hold ? `${hold.source} to answer again: ${hold.reason}` : 'the flow and its tasks to be loaded', { hold });
  onWait();
  try {
    const runtime = await context.runtimes.get(record);
    const patience = { signal: actor.signal, onWait };
    const tasks = (await loadWithRetries(context, id, () => runtime.tasks(onProgress), patience))!;
    await context.notices.resolve(id, BUNDLE_DAMAGED);
    return await taskPlan(runtime, tasks);
  } catch (thrown) {
    const error = MillraceError.from(thrown);
    if (isBundleDamage(error)) void context.notices.report(id, { code: BUNDLE_DAMAGED, message: error.message });
    if (error.retryable) throw error;
    return { failure: `the flow or its tasks cannot be loaded: ${error.message}` };
  }
}
