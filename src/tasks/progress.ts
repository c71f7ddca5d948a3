import { AsyncLocalStorage } from 'node:async_hooks';

/** How far the tasks of a job are loaded. */
export interface LoadProgress {
  /** `read`: a file is being read; `check`: tasks are being checked; `split`: they are divided into training and held-out ones. */
  stage: 'read' | 'check' | 'split';
  /** Bytes when reading, tasks otherwise. */
  done: number;
  total: number;
}

/** Hears of progress; called a few times a second at most. */
export type OnProgress = (progress: LoadProgress) => void;

const listening = new AsyncLocalStorage<OnProgress>();

/** Runs `work`; what is read by {@link readTasks} in it, also by the code of a flow, is told to `onProgress`. */
export function withProgress<R>(onProgress: OnProgress | undefined, work: () => R): R {
  return onProgress === undefined ? work() : listening.run(onProgress, work);
}

/** Tells whoever loads. */
export function reportProgress(progress: LoadProgress): void {
  listening.getStore()?.(progress);
}

/** In words: `120 of 191 MiB read`. */
export function progressText({ stage, done, total }: LoadProgress): string {
  if (stage === 'read') return `${Math.floor(done / 2 ** 20)} of ${Math.ceil(total / 2 ** 20)} MiB of tasks read`;
  return `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} tasks ${stage === 'check' ? 'checked' : 'divided'}`;
}
