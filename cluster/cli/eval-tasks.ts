import { MillraceError } from '../../src/errors.ts';
import type { RetryGate } from '../../src/flow/retry-gate.ts';
import { RetryLater } from '../../src/flow/retry-later.ts';
import type { RequestTask } from '../../src/jobs/requests.ts';
import { LoadLater } from '../../src/tasks/load-later.ts';
import { loadTasks, type LoadedTasks } from '../../src/tasks/load.ts';
import { readTasks } from '../../src/tasks/read.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import { taskPlan } from '../jobs/tasks.ts';

/** Tasks to evaluate on. */
export interface EvalTasks {
  tasks: RequestTask[];
  /** What the flow's loader gave beside them. */
  flowContext: unknown;
}

/** The tasks of a file, or the held-out ones of the flow, with what the flow's loader gives; waits where that asks to be called later. */
export async function evalTasks(
  runtime: JobRuntime,
  file: string | undefined,
  { taskSet, retrier, signal }: { taskSet: 'validation' | 'test'; retrier: RetryGate; signal: AbortSignal },
): Promise<EvalTasks> {
  const loaded = await runtime.tasks().catch((thrown: unknown) => {
    if (!(thrown instanceof LoadLater)) throw thrown;
    return retrier.again(thrown.retry, () => loadAgain(runtime), signal);
  });
  if (file === undefined) return { tasks: await heldOutTasks(runtime, loaded, taskSet), flowContext: loaded.context };
  // The flow's own loader gives the world; the tasks are checked like any others.
  const given = await loadTasks({ ...runtime.flow, load: () => readTasks(file) }, { data: file, clock: runtime.clock });
  return { tasks: given.tasks, flowContext: loaded.context };
}

async function heldOutTasks(runtime: JobRuntime, loaded: LoadedTasks, taskSet: 'validation' | 'test'): Promise<RequestTask[]> {
  const tasks = (await taskPlan(runtime, loaded))[taskSet];
  if (tasks.length > 0) return tasks;
  throw new MillraceError(
    'failed_precondition',
    `The job has no ${taskSet} tasks (split.test is ${runtime.config.split.test}).`,
    {
      field: '--task-set',
    },
  );
}

/** Asks for another try as a tool does, so that the gate waits for it in the same way. */
async function loadAgain(runtime: JobRuntime): Promise<LoadedTasks> {
  try {
    return await runtime.tasks();
  } catch (thrown) {
    throw thrown instanceof LoadLater ? new RetryLater(thrown.retry) : thrown;
  }
}
