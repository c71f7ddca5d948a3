import type { SimulationResult } from '../../cluster/simulation/run.ts';
import { startWorker, type Worker } from '../../bench/load/worker.ts';
import { JOB_FILE } from './job-config.ts';

/** A run that a worker is to make. */
export interface SeedOrder {
  seed: number;
  /** Faults that may strike, by id. Default: all. */
  only?: readonly string[];
  /** Keeps every event. Default false. */
  trace?: boolean;
}

/** What became of a run: what its worker says. */
export type SeedResult = Omit<SimulationResult, 'plan' | 'weights'>;

/** How long a run may take, in ms of real time; most take a quarter of a second. */
const LONGEST_MS = 120_000;

/**
 * A seed makes tens of megabytes of short-lived objects and hundreds of errors that are expected: with room for the former and no
 * traces of the latter it takes a sixth less time. `--seed` runs have traces.
 */
const FLAGS = ['--max-semi-space-size=64', '--stack-trace-limit=0'];

type SeedWorker = Worker<SeedOrder, SeedResult>;

/** Processes that simulate seeds. One whose run kills it or does not end is replaced, and that seed has failed. */
export class Farm {
  readonly #idle: SeedWorker[] = [];
  readonly #all = new Set<SeedWorker>();
  readonly #waiting: ((worker: SeedWorker) => void)[] = [];
  readonly #longestMs: number;
  readonly #entry: URL;
  #closed = false;

  /** @param options - another module in place of the workers' sources, and for tests how long a run may take */
  constructor(workers: number, { longestMs = LONGEST_MS, entry = new URL('./worker-main.ts', import.meta.url) } = {}) {
    this.#longestMs = longestMs;
    this.#entry = entry;
    for (let i = 0; i < workers; i += 1) this.#release(this.#start());
  }

  /** Runs a seed as soon as a worker is free. */
  async run(order: SeedOrder): Promise<SeedResult> {
    const worker = this.#idle.pop() ?? (await new Promise<SeedWorker>((resolve) => this.#waiting.push(resolve)));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      worker.kill();
    }, this.#longestMs);
    try {
      const result = await worker.order(order);
      this.#release(worker);
      return result;
    } catch (thrown) {
      worker.kill();
      await worker.exited;
      this.#all.delete(worker);
      if (!this.#closed) this.#release(this.#start());
      if (timedOut) return broken(order.seed, 'ends', `the run took more than ${this.#longestMs / 1000} s of real time`);
      return broken(order.seed, 'process-survives', (thrown as Error).message);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends every worker, whatever it does: runs that are under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((worker) => worker.stop(0)));
  }

  #start(): SeedWorker {
    const worker: SeedWorker = startWorker<SeedOrder, SeedResult>({
      entry: this.#entry,
      args: [JOB_FILE],
      execArgv: FLAGS,
      name: 'a worker of the simulation',
    });
    this.#all.add(worker);
    return worker;
  }

  #release(worker: SeedWorker): void {
    const next = this.#waiting.shift();
    if (next) next(worker);
    else this.#idle.push(worker);
  }
}

/** The result of a run that could not say how it ended. */
function broken(seed: number, invariant: string, reason: string): SeedResult {
  const nothing = { job: '', hash: '', events: 0, seconds: 0, faults: {}, struck: [], seen: [] };
  return { seed, outcome: 'failed', invariant, reason, ...nothing };
}
