import { MessageTooLarge } from '../../src/bus/message-size.ts';
import { MillraceError } from '../../src/errors.ts';
import type { RequestTask } from '../../src/jobs/requests.ts';
import type { LoadedTask, LoadedTasks } from '../../src/tasks/load.ts';
import { taskAt } from '../../src/jobs/task-order.ts';
import { splitTasks } from '../../src/tasks/split.ts';
import type { JobRuntime } from './runtime.ts';

/** A job's tasks, split, in the order they are trained on. */
export interface TaskPlan {
  train: RequestTask[];
  /** Held out: chooses checkpoints. */
  validation: RequestTask[];
  /** Held out, and measured once, for the report; may be empty. */
  test: RequestTask[];
  hasRule: boolean;
  /** The task of a training request: every task once an epoch, in an order of its own each epoch. */
  taskFor(sequence: number): RequestTask;
}

/** Of a request beside its task: ids, numbers, field tags. */
const REQUEST_BYTES = 4096;

/** `invalid_argument` when a task is too large for the messages of this cluster: its NATS server may take less than Millrace's own. */
export function checkFits(tasks: readonly LoadedTask[], maxMessageBytes: number): void {
  const limit = maxMessageBytes - REQUEST_BYTES;
  for (const { id, json, origin } of tasks) {
    // No character has more than three bytes for each of its UTF-16 units.
    if (json.length * 3 <= limit || Buffer.byteLength(json) <= limit) continue;
    const what = `${origin}: task '${id}' in a request`;
    throw new MessageTooLarge(what, Buffer.byteLength(json) + REQUEST_BYTES, maxMessageBytes);
  }
}

/** Splits and orders the tasks of a job; the same for everyone who asks. `invalid_argument` when nothing is left to train on or for validation. */
export async function taskPlan(runtime: JobRuntime, loaded: LoadedTasks): Promise<TaskPlan> {
  const { clock } = runtime;
  const { seed, split } = runtime.config;
  const sides = await splitTasks(loaded.tasks, { ...split, seed, clock });
  for (const side of ['train', 'validation'] as const) {
    if (sides[side].length > 0) continue;
    throw new MillraceError(
      'invalid_argument',
      `${loaded.tasks.length} tasks leave none for ${side} at split.heldOut ${split.heldOut}.`,
      { field: 'split.heldOut' },
    );
  }
  const { train } = sides;
  return {
    ...sides,
    hasRule: (runtime.flow.rule ?? runtime.flow.writingRule) !== undefined,
    taskFor: (sequence) => train[taskAt(sequence, train.length, seed)]!,
  };
}

/** How many tasks are held out, e.g. `93 held out` or `320 for validation, 520 for the test`. */
export function heldOutText({ validation, test }: Pick<TaskPlan, 'validation' | 'test'>): string {
  return test.length === 0 ? `${validation.length} held out` : `${validation.length} for validation, ${test.length} for the test`;
}
