import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system.ts';

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

/** Who loads tasks. */
interface Loader {
  clock: Clock;
  onProgress: OnProgress | undefined;
}

const loaders = new AsyncLocalStorage<Loader>();
/** How many load now. */
let loading = 0;

/** Runs `work`; what is read by {@link readTasks} in it, also by the code of a flow, goes by the loader's clock and is told to `onProgress`. */
export async function asLoader<R>(loader: Loader, work: () => Promise<R>): Promise<R> {
  loading += 1;
  try {
    return await loaders.run(loader, work);
  } finally {
    loading -= 1;
    // While a storage is in use, every promise of the process costs more.
    if (loading === 0) loaders.disable();
  }
}

/** Tells whoever loads. */
export function reportProgress(progress: LoadProgress): void {
  loaders.getStore()?.onProgress?.(progress);
}

/** The clock of whoever loads; real time for code of a flow that reads a file at another time. */
export function loaderClock(): Clock {
  return loaders.getStore()?.clock ?? systemClock;
}

/** In words: `120 of 191 MiB read`. */
export function progressText({ stage, done, total }: LoadProgress): string {
  if (stage === 'read') return `${Math.floor(done / 2 ** 20)} of ${Math.ceil(total / 2 ** 20)} MiB of tasks read`;
  return `${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} tasks ${stage === 'check' ? 'checked' : 'divided'}`;
}
