import { MillraceError } from '../errors.ts';

/** What became of one task of a batch. */
export type BatchResult<R> = { index: number; result: R } | { index: number; error: MillraceError };

/** Options of {@link runBatch}. */
export interface BatchOptions<R> {
  /** Tasks at a time, at least 1. Default 4. */
  concurrency?: number;
  /** Told of each task when it has ended, and of how many of all have. */
  onResult?: (result: BatchResult<R>, ended: number, all: number) => void;
  /** No task begins after it. */
  signal?: AbortSignal;
}

/** Runs tasks, some at a time. One that fails stops no other. Results are in the order of the tasks; those that were never begun are left out. */
export async function runBatch<T, R>(
  tasks: readonly T[],
  run: (task: T, index: number) => Promise<R>,
  { concurrency = 4, onResult, signal }: BatchOptions<R> = {},
): Promise<BatchResult<R>[]> {
  const results: BatchResult<R>[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length && !signal?.aborted) {
      const index = next++;
      const ended = await run(tasks[index]!, index).then(
        (result): BatchResult<R> => ({ index, result }),
        (thrown: unknown): BatchResult<R> => ({ index, error: MillraceError.from(thrown) }),
      );
      results.push(ended);
      onResult?.(ended, results.length, tasks.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, worker));
  return results.sort((a, b) => a.index - b.index);
}
