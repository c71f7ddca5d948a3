import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** A wire to a server that tests can cut and mend. */
export interface Proxy {
  port: number;
  /** Ends every connection and lets no new one through. */
  readonly cut: () => void;
  /** Lets connections through again. */
  mend(): void;
  /** The next that the server says is lost, so often, each time with its connection. What the client says passes. */
  loseAnswers(times: number): void;
  /** Every byte takes so long, either way. */
  delay(ms: number): void;
  /** What the client says for so long passes only when that time is over. */
  hold(ms: number): void;
  close(): Promise<void>;
}

/** Forwards a free local port to a port on the same host. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let open = true;
  let losing = 0;
  let delayMs = 0;
  let heldUntil = 0;
  const server = createServer((client) => {
    if (!open) {
      client.destroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: target });
    const said = new Wire(upstream, () => Math.max(performance.now() + delayMs, heldUntil));
    const answered = new Wire(client, () => performance.now() + delayMs);
    client.on('data', (bytes) => said.send(bytes));
    upstream.on('data', (bytes) => {
      if (losing === 0) return answered.send(bytes);
      losing -= 1;
      client.destroy();
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => {});
      one.once('end', () => other.end());
      one.once('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend() {
      open = true;
    },
    loseAnswers(times) {
      losing = times;
    },
    delay(ms) {
      delayMs = ms;
    },
    hold(ms) {
      heldUntil = performance.now() + ms;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

/** One direction of a connection: what is sent arrives at its time, and in order. */
class Wire {
  readonly #to: Socket;
  readonly #arrival: () => number;
  readonly #under: { at: number; bytes: Uint8Array }[] = [];

  constructor(to: Socket, arrival: () => number) {
    this.#to = to;
    this.#arrival = arrival;
  }

  send(bytes: Uint8Array): void {
    this.#under.push({ at: this.#arrival(), bytes });
    if (this.#under.length === 1) this.#arrive();
  }

  #arrive(): void {
    for (let next = this.#under[0]; next !== undefined; next = this.#under[0]) {
      const left = next.at - performance.now();
      if (left > 0) return void setTimeout(() => this.#arrive(), left);
      this.#under.shift();
      if (this.#to.writable) this.#to.write(next.bytes);
    }
  }
}
