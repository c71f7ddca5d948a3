import { MillraceError } from '../../../src/errors.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';

/** How long a client goes on trying, in ms: as the client of NATS does (`callTimeoutMs`). */
export const CALL_TIMEOUT_MS = 10_000;
/** When it notices that no answer comes, and tries again. */
const RETRY_MS = 500;
/** What is carried out after its caller gave up is so at most this late. */
const LATEST_MS = 20_000;

/** Options of {@link Calls.call}. */
export interface CallOptions<T> {
  /** What is asked for, e.g. `publish group.job job:3`. */
  what: string;
  /** Done at the server; has happened when its promise is made. */
  work: () => Promise<T>;
  /** A repeated try gets the answer to the first one: it has a message id. Default: it is carried out again, as reads are. */
  once?: boolean;
}

/** The calls of one connection to NATS: requests and answers that travel, are lost, and are tried again as the client does. */
export class Calls {
  readonly #world: World;
  readonly #life: Life;

  constructor(world: World, life: Life) {
    this.#world = world;
    this.#life = life;
  }

  async call<T>({ what, work, once = false }: CallOptions<T>): Promise<T> {
    const { faults, clock, network, recorder } = this.#world;
    const { node, id: channel } = this.#life;
    const where = `${node} ${what}`;
    const deadline = clock.monotonic() + CALL_TIMEOUT_MS;
    let first: Promise<T> | undefined;
    const carryOut = (): Promise<T> => {
      if (!once) return work();
      first ??= work();
      return first;
    };
    if (!this.#life.isRunning) await this.#life.running();
    if (faults.strikes('crash-at-call', where)) return this.#crash();
    const lost = faults.strikes('call-failed', where);
    const done = faults.strikes('call-failed-but-done', where);
    const late = faults.strikes('call-failed-done-late', where);
    const unanswered = lost ?? done ?? late;
    if (unanswered) {
      if (!lost) await clock.sleep(1);
      if (done && this.#canReach()) void carryOut().catch(() => {});
      if (late) void this.#later(late.amount * LATEST_MS, carryOut);
      await clock.sleep(CALL_TIMEOUT_MS);
      if (!this.#life.isRunning) await this.#life.running();
      recorder.note(node, 'call-failed', what, { fault: unanswered.id });
      throw noAnswer(what);
    }
    for (;;) {
      if (!this.#life.isRunning) await this.#life.running();
      const arrives = await network.trip(node, 'nats', { channel, what: where });
      if (arrives && !faults.strikes('request-lost', where)) {
        if (!this.#world.nats.isRunning) await this.#world.nats.running();
        const result = await settled(carryOut());
        if (faults.strikes('crash-after-call', where)) return this.#crash();
        const answered = await network.trip('nats', node, { channel, what: where });
        if (answered && !faults.strikes('answer-lost', where)) {
          if (!this.#life.isRunning) await this.#life.running();
          if ('error' in result) throw result.error;
          return result.value;
        }
      }
      await clock.sleep(RETRY_MS);
      if (!this.#life.isRunning) await this.#life.running();
      if (clock.monotonic() + RETRY_MS > deadline) {
        recorder.note(node, 'call-failed', what);
        throw noAnswer(what);
      }
    }
  }

  /** A message that nobody answers; resolves with whether it arrived. */
  async send(what: string): Promise<boolean> {
    const { faults, network, nats } = this.#world;
    const { node, id: channel, hasEnded } = this.#life;
    const where = `${node} ${what}`;
    if (hasEnded) return false;
    const arrives = await network.trip(node, 'nats', { channel, what: where });
    if (!arrives || faults.strikes('signal-lost', where)) return false;
    if (!nats.isRunning) await nats.running();
    return true;
  }

  /** A message to the client; resolves with whether it arrived, when the process runs. */
  async receive(what: string): Promise<boolean> {
    const { network } = this.#world;
    const { node, id: channel } = this.#life;
    const arrives = await network.trip('nats', node, { channel, what: `${node} ${what}` });
    if (!this.#life.isRunning) await this.#life.running();
    return arrives;
  }

  #canReach(): boolean {
    return !this.#world.network.isCut(this.#life.node, 'nats');
  }

  async #later(ms: number, work: () => Promise<unknown>): Promise<void> {
    await this.#world.clock.sleep(CALL_TIMEOUT_MS + ms);
    if (this.#canReach()) await work().catch(() => {});
  }

  #crash(): Promise<never> {
    this.#world.crash(this.#life);
    return new Promise(() => {});
  }
}

function noAnswer(what: string): MillraceError {
  return new MillraceError('unavailable', `${what}: NATS does not answer`);
}

async function settled<T>(work: Promise<T>): Promise<{ value: T } | { error: Error }> {
  try {
    return { value: await work };
  } catch (error) {
    return { error: error as Error };
  }
}
