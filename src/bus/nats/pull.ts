import { createInbox, nanos } from '@nats-io/nats-core';
import type { Msg, Subscription } from '@nats-io/nats-core';
import type { JetStreamConnection } from './connection.ts';

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 3000;
/** Silence of this length while requests are open means that the server forgot them. */
const SILENCE_MS = 2.5 * HEARTBEAT_MS;

/** What {@link PullRequests} needs to know of its consumer. */
export interface PullOptions {
  stream: string;
  durable: string;
  /** How many more messages could be taken if none were on their way. */
  room: () => number;
  /** How many more bytes could be taken if none were on their way; Infinity for no limit. */
  roomBytes: () => number;
  /** Nothing is held. */
  idle: () => boolean;
  /** Messages asked for at once: a quarter of the most that are taken. */
  batch: () => number;
  onMessage: (message: Msg) => void;
  /** The durable or stream is gone, or the server forgot us: see to the durable, then call `restart`. */
  onTrouble: (reason: string) => void;
}

interface Request {
  id: number;
  left: number;
  /** The server ends the request rather than send more than these. */
  bytes: number;
  sentAt: number;
}

/**
 * The open pull requests of one consumer. Never asks for more messages than there is room for, so no message waits here
 * unseen while its ack wait runs, and a busy worker leaves work to idle ones.
 */
export class PullRequests {
  private readonly link: JetStreamConnection;
  private readonly options: PullOptions;
  private subscription: Subscription | undefined;
  private inbox = '';
  private requests: Request[] = [];
  private nextId = 1;
  /** The next message is larger than this. */
  private refused = 0;
  private heardAt = 0;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(link: JetStreamConnection, options: PullOptions) {
    this.link = link;
    this.options = options;
  }

  /** Forgets all open requests (their inbox is gone for the server too) and asks anew. */
  restart(): void {
    this.subscription?.unsubscribe();
    this.requests = [];
    this.refused = 0;
    this.inbox = createInbox(this.link.inboxPrefix);
    this.heardAt = performance.now();
    this.subscription = this.link.nc.subscribe(`${this.inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.options.onTrouble(error.message);
        else this.receive(message);
      },
    });
    this.watchdog ??= setInterval(() => this.watch(), HEARTBEAT_MS);
    this.refill();
  }

  /** The server has a request of ours, and would say if the durable went. */
  get isAsking(): boolean {
    return this.requests.length > 0;
  }

  /** Asks for as many messages as there is room for, a batch at a time. */
  refill(): void {
    if (this.subscription === undefined || this.link.nc.isClosed()) return;
    const open = this.requests.reduce((sum, r) => sum + r.left, 0);
    const free = this.options.room() - open;
    if (free <= 0 || (open > 0 && free < this.options.batch())) return;
    const id = this.nextId++;
    const room = this.options.roomBytes();
    const request = { id, left: free, bytes: room, sentAt: performance.now() };
    if (room !== Infinity) request.bytes -= this.requests.reduce((sum, r) => sum + r.bytes, 0);
    if (request.bytes <= this.refused) {
      // A message larger than all that may be held is taken alone.
      if (this.requests.length > 0 || !this.options.idle()) return;
      request.left = 1;
      request.bytes = Infinity;
    }
    this.requests.push(request);
    const subject = `${this.link.apiPrefix}.CONSUMER.MSG.NEXT.${this.options.stream}.${this.options.durable}`;
    const limit = request.bytes === Infinity ? {} : { max_bytes: request.bytes };
    const body = JSON.stringify({
      batch: request.left,
      expires: nanos(EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
      ...limit,
    });
    this.link.nc.publish(subject, body, { reply: `${this.inbox}.${id}` });
  }

  /** Asks for nothing more; what was on its way still reaches `onMessage` before this resolves (or the time is up). */
  async stop(timeoutMs: number): Promise<void> {
    clearInterval(this.watchdog);
    this.watchdog = undefined;
    const { subscription } = this;
    this.subscription = undefined;
    if (subscription === undefined || subscription.isClosed() || this.link.nc.isClosed()) return;
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      subscription.drain().catch(() => {}),
      new Promise((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      }),
    ]);
    clearTimeout(timer);
  }

  private receive(message: Msg): void {
    this.heardAt = performance.now();
    if (!message.subject.startsWith(`${this.inbox}.`)) {
      // Requests are served in the order they came in.
      const request = this.requests[0];
      if (request !== undefined) {
        request.bytes = Math.max(0, request.bytes - message.data.length);
        if (--request.left <= 0) this.requests.shift();
      }
      this.refused = 0;
      this.options.onMessage(message);
      this.refill();
      return;
    }
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const id = Number(message.subject.slice(this.inbox.length + 1));
    const ended = this.requests.find((r) => r.id === id);
    if (ended === undefined) return;
    this.requests = this.requests.filter((r) => r !== ended);
    const description = message.headers?.description ?? '';
    const tooLarge = code === 409 && description.includes('MaxBytes');
    if (tooLarge) this.refused = ended.bytes;
    if (tooLarge || code === 404 || code === 408) this.refill();
    else if (this.subscription !== undefined) this.options.onTrouble(`${code} ${description}`.trim());
  }

  private watch(): void {
    const now = performance.now();
    if (
      this.requests.some((r) => now - r.sentAt > EXPIRES_MS + SILENCE_MS) ||
      (this.requests.length > 0 && now - this.heardAt > SILENCE_MS)
    ) {
      this.heardAt = now;
      this.options.onTrouble('heartbeats missed');
    } else this.refill();
  }
}
