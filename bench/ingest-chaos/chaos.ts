import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { GeneratorEvent, GeneratorOrder, GeneratorResult } from '../load/generator-main.ts';
import type { ProcessUsage } from '../load/processes.ts';
import { startTestbed, type Testbed } from '../load/testbed.ts';
import { startStoreNode } from '../load/store-node.ts';
import type { GroupTemplate } from '../load/templates.ts';
import type { Verdict, VerifyOrder } from '../load/verify-main.ts';
import { startWorker, type Worker } from '../load/worker.ts';

/** Options of {@link runChaos}. */
export interface ChaosOptions {
  /** For everything that is written; removed by the caller. */
  folder: string;
  /** How long generators publish, in ms. */
  forMs: number;
  /** Between two kills, in ms. */
  killEveryMs: number;
  /** Of all generators together. */
  stepsPerSecond: number;
  generators: number;
  templates: GroupTemplate[];
  /** Decides who is killed. */
  seed: number;
  say: (text: string) => void;
  signal: AbortSignal;
}

/** What was done to it, and what is left. */
export interface ChaosResult {
  killsOfStore: number;
  killsOfGenerators: number;
  /** Steps a second that the stream accepted while generators ran. */
  acceptedStepsPerSecond: number;
  /** From the last publish until the writer had acknowledged everything. */
  drainSeconds: number;
  /** Messages that the writer gave up. */
  deadLetters: number;
  processes: ProcessUsage[];
  verdict: Verdict;
}

const JOB = 'chaos';
const WINDOW = 32;
const SAY_EVERY_MS = 200;
/** A message that a killed store had is delivered again after 30 s; several kills in a row add up. */
const DRAIN_TIMEOUT_MS = 20 * 60_000;

/**
 * Publishes groups at a steady rate while the store node and the generators are killed in turn, waits until the writer has
 * worked everything off, and then asks the database itself. Leaves no process behind.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { folder, forMs, killEveryMs, say, signal } = options;
  const stand = await startTestbed(folder, signal, startStoreNode);
  const random = seededRandom(options.seed);
  const endMs = Date.now() + forMs;
  const generators = Array.from({ length: options.generators }, (_, at) => new RestartedGenerator(at, endMs, stand, options));
  const kills = { store: 0, generators: 0 };
  try {
    const running = Promise.all(generators.map((generator) => generator.run()));
    running.catch(() => {});
    let nextKill = Date.now() + killEveryMs;
    while (Date.now() < endMs && !generators.some(({ failed }) => failed)) {
      signal.throwIfAborted();
      if (Date.now() >= nextKill) {
        nextKill += killEveryMs;
        // Store and generators by turns, so that a short run has both.
        const ofStore = (kills.store + kills.generators) % 2 === 0;
        const done = ofStore ? killStore(stand) : generators[Math.floor(random.uniform() * generators.length)]!.kill();
        if (done) kills[ofStore ? 'store' : 'generators'] += 1;
        // Its successor is on the way: killed as soon as it is there.
        else nextKill = Date.now();
      }
      const accepted = generators.reduce((sum, { steps }) => sum + steps, 0);
      say(
        `${Math.ceil((endMs - Date.now()) / 1000)} s left · ${accepted.toLocaleString('en-US')} steps · ${kills.store + kills.generators} kills`,
      );
      await sleep(SAY_EVERY_MS);
    }
    await running;
    const drainSeconds = await drained(stand, say, signal);
    const deadLetters = (await stand.bus.streamState('DLQ')).messages;
    const processes = stand.sampler.usage();
    for (const generator of generators) await generator.stop();
    await stand.stopStore();
    say('looking for what was lost or doubled');
    const verdict = await verify({ database: stand.database, logs: generators.map(({ log }) => log) }, signal);
    return {
      killsOfStore: kills.store,
      killsOfGenerators: kills.generators,
      acceptedStepsPerSecond: Math.round((1000 * verdict.acceptedSteps) / forMs),
      drainSeconds,
      deadLetters,
      processes,
      verdict,
    };
  } finally {
    for (const generator of generators) await generator.stop();
    await stand.stop();
  }
}

/** Kills what runs; there is nothing to kill while the last kill's successor is not there yet. */
function killStore({ store }: Testbed): boolean {
  if (store.pid === undefined) return false;
  process.kill(store.pid, 'SIGKILL');
  return true;
}

/** A generator that is started again whenever it is killed, and goes on where its log ends. */
class RestartedGenerator {
  readonly log: string;
  /** Accepted as far as it has told, over all of its lives. */
  steps = 0;
  failed = false;
  #worker: Worker<GeneratorOrder, GeneratorResult> | undefined;
  #stopped = false;
  #killed = false;
  readonly #at: number;
  readonly #endMs: number;
  readonly #stand: Testbed;
  readonly #options: ChaosOptions;

  constructor(at: number, endMs: number, stand: Testbed, options: ChaosOptions) {
    this.log = join(options.folder, `accepted-${at}.log`);
    this.#at = at;
    this.#endMs = endMs;
    this.#stand = stand;
    this.#options = options;
    stand.sampler.watch(`generator-${at + 1}`, () => this.#worker?.pid);
  }

  /** Until the time is over; rejects when a generator ends that nobody has killed. */
  async run(): Promise<void> {
    const { generators: stride, stepsPerSecond, templates } = this.#options;
    for (let life = 1; !this.#stopped && Date.now() < this.#endMs; life += 1) {
      const before = this.steps;
      const name = `generator-${this.#at + 1}`;
      const worker = startWorker<GeneratorOrder, GeneratorResult, GeneratorEvent>({
        name,
        entry: new URL('../load/generator-main.ts', import.meta.url),
        onEvent: ({ steps }) => (this.steps = before + steps),
      });
      this.#worker = worker;
      this.#killed = false;
      try {
        await worker.order({ kind: 'open', natsUrl: this.#stand.natsUrl, name, templates });
        const forMs = this.#endMs - Date.now();
        const pace = { window: WINDOW, stepsPerSecond: stepsPerSecond / stride };
        await worker.order({ kind: 'endure', job: JOB, first: this.#at, stride, forMs, log: this.log, ...pace });
      } catch (error) {
        if (!this.#killed && !this.#stopped) {
          this.failed = true;
          throw error;
        }
      }
      await worker.stop();
    }
  }

  kill(): boolean {
    if (this.#worker === undefined || this.#killed) return false;
    this.#killed = true;
    this.#worker.kill();
    return true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#worker?.stop();
  }
}

/** Waits until the writer has acknowledged everything; returns how long it took, in seconds. */
async function drained(stand: Testbed, say: (text: string) => void, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const { messages } = await stand.bus.streamState('SCORED');
    const elapsed = performance.now() - began;
    if (messages === 0) return elapsed / 1000;
    if (elapsed > DRAIN_TIMEOUT_MS)
      throw new MillraceError(
        'deadline_exceeded',
        `${messages} messages are left in the stream after ${Math.round(elapsed / 1000)} s`,
      );
    say(`${messages.toLocaleString('en-US')} messages left to write`);
    await sleep(SAY_EVERY_MS);
  }
}

async function verify(order: VerifyOrder, signal: AbortSignal): Promise<Verdict> {
  const worker = startWorker<VerifyOrder, Verdict>({ name: 'verify', entry: new URL('../load/verify-main.ts', import.meta.url) });
  const interrupt = (): void => worker.kill();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await worker.order(order);
  } finally {
    signal.removeEventListener('abort', interrupt);
    await worker.stop();
  }
}
