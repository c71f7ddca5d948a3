import { MillraceError } from '../../../src/errors.ts';
import { POLICIES } from '../../../src/protocol/names.ts';
import type { KeyValue } from '../../../src/bus/bus.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';
import type { Calls } from './calls.ts';

type Change = Parameters<Parameters<KeyValue['watch']>[1]>[0];

/** Until a watch that has missed something tries to catch up, in ms. */
const RETRY_MS = 250;
/** How long one that misses changes does so at most. */
const LONGEST_GAP_MS = 5_000;

interface BucketOptions {
  world: World;
  life: Life;
  calls: Calls;
  /** A call whose repeated tries get the answer to the first one. */
  call: <T>(what: string, work: () => Promise<T>) => Promise<T>;
}

/** A bucket as one process reaches it. */
export function simulatedBucket(inner: KeyValue, bucket: string, options: BucketOptions): KeyValue {
  const { world, life, calls, call } = options;
  const { recorder, observer } = world;
  const write = (key: string, kind: string, work: () => Promise<number>, value?: Uint8Array): Promise<number> => {
    const from = recorder.note(life.node, `kv-${kind}`, `${bucket}/${key}`);
    return call(`${kind} ${bucket}/${key}`, async () => {
      const revision = await work().catch((thrown: unknown) => {
        if (bucket === POLICIES && MillraceError.from(thrown).code === 'aborted') observer.saw('zombie-was-fenced');
        throw thrown;
      });
      const index = recorder.note('nats', 'written', `${bucket}/${key} revision ${revision}`, { from });
      recorder.remember(`${bucket}/${revision}`, index);
      observer.written({ node: life.node, bucket, key, value, revision });
      return revision;
    });
  };
  return {
    ttlMs: inner.ttlMs,
    get: (key) => calls.call({ what: `get ${bucket}/${key}`, work: () => inner.get(key) }),
    put: (key, value) => write(key, 'put', () => inner.put(key, value), value),
    create: (key, value) => write(key, 'create', () => inner.create(key, value), value),
    update: (key, value, revision) => write(key, 'update', () => inner.update(key, value, revision), value),
    async delete(key, revision) {
      await write(key, 'delete', async () => {
        await inner.delete(key, revision);
        return 0;
      });
    },
    keys: (filter) => calls.call({ what: `keys ${bucket}`, work: () => inner.keys(filter) }),
    async watch(filter, handler) {
      const watch = new SimulatedWatch(options, bucket, handler);
      await calls.call({ what: `watch ${bucket}`, work: () => Promise.resolve() });
      const stop = await inner.watch(filter, (change) => watch.changed(change));
      await watch.caughtUp();
      return () => {
        watch.stop();
        stop();
      };
    },
  };
}

/** Changes on their way to one watcher, in order; what is missed comes later, as the newest value of each key. */
class SimulatedWatch {
  readonly #world: World;
  readonly #life: Life;
  readonly #calls: Calls;
  readonly #bucket: string;
  readonly #handler: (change: Change) => void;
  /** What waits to be sent, by key: the newest only, once something was missed. */
  #queue: Change[] = [];
  #sending = false;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor({ world, life, calls }: BucketOptions, bucket: string, handler: (change: Change) => void) {
    this.#world = world;
    this.#life = life;
    this.#calls = calls;
    this.#bucket = bucket;
    this.#handler = handler;
  }

  changed(change: Change): void {
    this.#queue.push(change);
    if (!this.#sending) void this.#send();
  }

  /** Resolves when the handler has been given everything so far. */
  caughtUp(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#sending) this.#idle.push(resolve);
      else resolve();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#queue = [];
  }

  async #send(): Promise<void> {
    const { recorder, faults, clock } = this.#world;
    const { node } = this.#life;
    this.#sending = true;
    while (this.#queue.length > 0 && !this.#life.hasEnded) {
      const change = this.#queue.shift()!;
      const what = `${this.#bucket}/${change.key} revision ${change.revision}`;
      if (this.#world.isStalled(node, this.#bucket)) {
        this.#queue.unshift(change);
        await this.#untilItGoesOn();
        continue;
      }
      const gap = faults.strikes('watch-gap', `${node} ${what}`);
      if (gap || !(await this.#calls.receive(`change ${what}`))) {
        this.#queue.unshift(change);
        recorder.note(node, 'watch-gap', this.#bucket, gap && { fault: gap.id });
        await clock.sleep(gap ? gap.amount * LONGEST_GAP_MS : RETRY_MS);
        this.#queue = newestOfEach(this.#queue);
        continue;
      }
      if (this.#stopped) return;
      const from = recorder.recall(`${this.#bucket}/${change.revision}`);
      recorder.note(node, 'kv-change', what, from === undefined ? {} : { from });
      this.#handler(change);
    }
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** What was overwritten while it stalled is never told. */
  async #untilItGoesOn(): Promise<void> {
    const { recorder, clock } = this.#world;
    const { node } = this.#life;
    recorder.note(node, 'watch-gap', this.#bucket);
    while (this.#world.isStalled(node, this.#bucket) && !this.#life.hasEnded) await clock.sleep(RETRY_MS);
    this.#queue = newestOfEach(this.#queue);
  }
}

/** Without what was overwritten meanwhile, in order of the last writes. */
function newestOfEach(changes: readonly Change[]): Change[] {
  const newest = new Map<string, Change>();
  for (const change of changes) {
    newest.delete(change.key);
    newest.set(change.key, change);
  }
  return [...newest.values()];
}
