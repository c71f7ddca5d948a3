import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { z } from 'zod';
import { MillraceError } from '../../../src/errors.ts';
import type { Upgrade } from '../upgrade.ts';
import type { Feed } from './feed.ts';

/** What a client sends: which feeds it wants, each from where it knows it; '' is from the beginning. Replaces what it wanted before. */
const subscription = z.strictObject({ subscribe: z.record(z.string().max(40), z.string().max(100)) });

/** What the server sends, as JSON: what is new in a feed. */
export interface LiveMessage {
  feed: string;
  cursor: string;
  reset: boolean;
  items: readonly unknown[];
  gone: readonly string[];
}

/** Limits of {@link liveUpgrade}. */
export interface LiveLimits {
  /** Connections at the same time. Default 100. */
  connections: number;
  /** Milliseconds between two messages of a feed to one client. Default 100. */
  pauseMs: number;
  /** Bytes that may wait for a client before it is told of nothing new. Default 262_144. */
  waitingBytes: number;
  /** Milliseconds between pings; a client that answers none until the next is cut off. Default 20_000. */
  pingMs: number;
}

const DEFAULT_LIMITS: LiveLimits = { connections: 100, pauseMs: 100, waitingBytes: 262_144, pingMs: 20_000 };
const MESSAGE_BYTES = 16 * 1024;
const TRY_LATER = 1013;
const WRONG_MESSAGE = 1008;

/** Feeds by name, each opened while somebody is subscribed to it. */
export type Feeds = Readonly<Record<string, { open(): { feed: Feed; release(): void } }>>;

/**
 * `/live`: one WebSocket for everything that a page follows. Nothing is queued for a client: when it can take more, it gets the newest state
 * of what changed since its cursor. So a slow one costs no memory, and one that comes back misses nothing.
 */
export function liveUpgrade(feeds: Feeds, limits: Partial<LiveLimits> = {}): Upgrade {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES, perMessageDeflate: false });
  return {
    path: '/live',
    accept(request: IncomingMessage, socket: Socket, head: Buffer) {
      if (server.clients.size >= all.connections)
        throw new MillraceError('resource_exhausted', `At most ${all.connections} pages are served live at the same time.`);
      server.handleUpgrade(request, socket, head, (client) => serve(client, feeds, all));
    },
    close() {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}

function serve(client: WebSocket, feeds: Feeds, limits: LiveLimits): void {
  const followed = new Map<string, Follower>();
  let alive = true;
  const ping = setInterval(() => {
    if (!alive) return client.terminate();
    alive = false;
    client.ping();
  }, limits.pingMs);
  client.on('pong', () => (alive = true));
  client.on('error', () => client.terminate());
  client.on('message', (data: Buffer) => {
    try {
      const { subscribe } = subscription.parse(JSON.parse(data.toString()));
      for (const [name, follower] of followed) {
        if (name in subscribe) continue;
        follower.end();
        followed.delete(name);
      }
      for (const [name, cursor] of Object.entries(subscribe)) {
        const source = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
        if (source === undefined) throw new MillraceError('not_found', `There is no feed "${name}".`);
        if (!followed.has(name)) followed.set(name, new Follower(client, { name, cursor, ...source.open() }, limits));
      }
    } catch (thrown) {
      client.close(WRONG_MESSAGE, MillraceError.from(thrown).message.slice(0, 100));
    }
  });
  client.on('close', () => {
    clearInterval(ping);
    for (const follower of followed.values()) follower.end();
    followed.clear();
  });
}

/** Sends one client what is new in one feed, as fast as it takes it. */
class Follower {
  readonly #client: WebSocket;
  readonly #source: { name: string; feed: Feed; release(): void };
  readonly #limits: LiveLimits;
  readonly #leave: () => void;
  #cursor: string;
  #timer: NodeJS.Timeout | undefined;
  #slow = 0;
  #sentAt = -Infinity;

  constructor(
    client: WebSocket,
    { cursor, ...source }: { name: string; cursor: string; feed: Feed; release(): void },
    limits: LiveLimits,
  ) {
    this.#client = client;
    this.#source = source;
    this.#limits = limits;
    this.#cursor = cursor;
    this.#leave = source.feed.onChange(() => this.#soon());
    this.#soon();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#leave();
    this.#source.release();
  }

  /** At once, unless the last message was just now. */
  #soon(from = this.#sentAt): void {
    this.#timer ??= setTimeout(() => this.#send(), Math.max(0, from + this.#limits.pauseMs - performance.now()));
  }

  #send(): void {
    this.#timer = undefined;
    if (this.#client.readyState !== this.#client.OPEN) return;
    if (this.#client.bufferedAmount > this.#limits.waitingBytes) {
      this.#slow += 1;
      if (this.#slow * this.#limits.pauseMs > this.#limits.pingMs) return this.#client.close(TRY_LATER, 'too slow');
      return this.#soon(performance.now());
    }
    this.#slow = 0;
    const changes = this.#source.feed.since(this.#cursor);
    if (changes === undefined) return;
    this.#cursor = changes.cursor;
    this.#sentAt = performance.now();
    const message: LiveMessage = { feed: this.#source.name, ...changes };
    this.#client.send(JSON.stringify(message));
  }
}
