import { MillraceError } from '../../../src/errors.ts';
import type { Link } from '../../../src/rpc/link.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';

/** When a side notices that the other one cannot be reached any more, in ms: as with the keep-alive of gRPC. */
const KEEP_ALIVE_MS = 20_000;

/** What a learner takes for a shard, in ms, and what it takes at most. */
const COMPUTE_MS = 20;
const SLOWEST_MS = 20_000;

/** Both ends of a connection between two processes; it breaks with either, and with the network between them. */
export function simulatedLinkPair<A, B>(world: World, left: Life, right: Life): [Link<A, B>, Link<B, A>] {
  const channel = `${left.id}-${right.id}#${world.nextId()}`;
  const a = new SimulatedLink<A, B>(world, left, channel);
  const b = new SimulatedLink<B, A>(world, right, channel);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

class SimulatedLink<In, Out> implements Link<In, Out> {
  readonly closed: Promise<void>;
  error: MillraceError | undefined;
  readonly #world: World;
  readonly #life: Life;
  readonly #channel: string;
  #other!: SimulatedLink<Out, In>;
  #handler: ((message: In) => void) | undefined;
  #waiting: In[] = [];
  #done = false;
  /** Until when the other side is busy with what it was sent. */
  #busyUntil = 0;
  /** What it does then, in order. */
  readonly #turns: (() => void)[] = [];
  #finish!: () => void;

  constructor(world: World, life: Life, channel: string) {
    this.#world = world;
    this.#life = life;
    this.#channel = channel;
    this.closed = life.through(new Promise<void>((resolve) => (this.#finish = resolve)));
  }

  connect(other: SimulatedLink<Out, In>): void {
    this.#other = other;
    // The machine of a process that ended says so to the other side.
    this.#life.onEnd(() => void this.#hangUp());
  }

  async send(message: Out): Promise<void> {
    if (this.#done) throw new MillraceError('unavailable', 'The link is closed; connect again.', { cause: this.error });
    const { recorder, network, faults } = this.#world;
    const [here, there] = [this.#life.node, this.#other.#life.node];
    const text = `${caseOf(message)} to ${there}`;
    const from = recorder.note(here, 'link-send', text);
    if (this.#world.isGivenAgain(text.slice(0, text.lastIndexOf(' to ')), there))
      this.#world.observer.saw('shard-was-given-again');
    const broken = faults.strikes('link-broken', `${here} ${text}`);
    if (broken) recorder.note(here, 'link-broken', text, { from, lost: true, fault: broken.id });
    // What follows a shard waits for it: a learner computes one after the other.
    const takesMs = caseOf(message).startsWith('shard') ? this.#computeMs(`${there} ${text}`) : 0;
    const arrives = network.trip(here, there, { channel: this.#channel, what: `${here} ${text}` });
    void arrives.then((arrived) => {
      if (!arrived || broken) return void this.#break(broken ? 0 : KEEP_ALIVE_MS);
      const other = this.#other;
      this.#inTurn(takesMs, () => {
        if (other.#done) return;
        recorder.note(there, 'link-receive', caseOf(message), { from });
        other.#receive(message);
      });
    });
    await this.#life.running();
  }

  onMessage(handler: (message: In) => void): void {
    if (this.#handler) throw new MillraceError('failed_precondition', 'The link has a handler already.');
    this.#handler = handler;
    queueMicrotask(() => this.#deliver());
  }

  close(): void {
    if (this.#done) return;
    this.#end(undefined);
    void this.#hangUp();
  }

  #computeMs(what: string): number {
    const slow = this.#world.faults.strikes('compute-slow', what);
    return slow ? slow.amount * SLOWEST_MS : COMPUTE_MS;
  }

  #receive(message: In): void {
    this.#waiting.push(message);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#handler && this.#waiting.length > 0 && !this.#done) {
      const message = this.#waiting.shift() as In;
      try {
        this.#handler(message);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        this.#end(error);
        void this.#hangUp(error);
      }
    }
  }

  /** Tells the other side, behind everything that was sent. */
  async #hangUp(error?: MillraceError): Promise<void> {
    const [here, there] = [this.#life.node, this.#other.#life.node];
    const arrived = await this.#world.network.trip(here, there, { channel: this.#channel, what: `${here} hangs up on ${there}` });
    if (!arrived) await this.#world.clock.sleep(KEEP_ALIVE_MS);
    this.#inTurn(0, () => this.#other.#end(error));
  }

  /** The other side does this when it has done all that it was sent before, and so much more. */
  #inTurn(takesMs: number, step: () => void): void {
    const { clock } = this.#world;
    const now = clock.monotonic();
    this.#busyUntil = Math.max(now, this.#busyUntil) + takesMs;
    this.#turns.push(step);
    clock.after(this.#busyUntil - now, () => this.#other.#life.pass(this.#turns.shift()!));
  }

  /** Nothing comes through any more: both sides notice, each in its time. */
  async #break(afterMs: number): Promise<void> {
    await this.#world.clock.sleep(afterMs);
    const error = new MillraceError('unavailable', 'the connection was lost');
    for (const side of [this, this.#other]) side.#life.pass(() => side.#end(error));
  }

  #end(error: MillraceError | undefined): void {
    if (this.#done) return;
    this.#done = true;
    this.error = error;
    this.#waiting = [];
    this.#world.recorder.note(this.#life.node, 'link-close', error?.message ?? 'in order');
    this.#finish();
  }
}

/** What a message of a `oneof` is, and of which shard. */
function caseOf(message: unknown): string {
  const { case: name = 'message', value } =
    (message as { message?: { case?: string; value?: Record<string, unknown> } }).message ?? {};
  const { round, index, shard } = value ?? {};
  const part = index ?? shard;
  return `${name}${typeof round === 'number' ? ` of round ${round}` : ''}${typeof part === 'number' ? ` part ${part}` : ''}`;
}
