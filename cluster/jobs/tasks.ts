import { MillraceError } from '../../src/errors.ts';
import type { RequestTask } from '../../src/jobs/requests.ts';
import type { LoadedTasks } from '../../src/tasks/load.ts';
import { taskAt } from '../../src/tasks/order.ts';
import { splitTasks } from '../../src/tasks/split.ts';
import type { JobRuntime } from './runtime.ts';

/** A job's tasks, split, in the order they are trained on. */
export interface TaskPlan {
  train: RequestTask[];
  heldOut: RequestTask[];
  hasRule: boolean;
  /** The task of a training request: every task once an epoch, in an order of its own each epoch. */
  taskFor(sequence: number): RequestTask;
}

/** Splits and orders the tasks of a job; the same for everyone who asks. `invalid_argument` when one side is empty. */
export async function taskPlan(runtime: JobRuntime, loaded: LoadedTasks): Promise<TaskPlan> {
  const { seed, split } = runtime.config;
  const sides = await splitTasks(loaded.tasks, { heldOut: split.heldOut, seed });
  for (const side of ['train', 'heldOut'] as const) {
    if (sides[side].length > 0) continue;
    throw new MillraceError(
      'invalid_argument',
      `${loaded.tasks.length} tasks leave none for ${side} at split.heldOut ${split.heldOut}.`,
      {
        field: 'split.heldOut',
      },
    );
  }
  const { train, heldOut } = sides;
  return {
    train,
    heldOut,
    hasRule: runtime.flow.rule !== undefined,
    taskFor: (sequence) => train[taskAt(sequence, train.length, seed)]!,
  };
}
