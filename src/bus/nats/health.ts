import { connect, type NatsConnection } from '@nats-io/transport-node';

/** Asks JetStream's API, over a connection that is made anew when it is lost. */
export class JetStreamHealth {
  readonly #url: string;
  readonly #login: { user?: string; password?: string; inboxPrefix?: string };
  #connection: NatsConnection | undefined;

  constructor(url: string, login: { user?: string; password?: string; inboxPrefix?: string } = {}) {
    this.#url = url;
    this.#login = login;
  }

  /** Whether it answers within the bound, and not with an error. Never throws. */
  async answers(timeoutMs: number): Promise<boolean> {
    try {
      if (this.#connection === undefined || this.#connection.isClosed()) {
        const { user, password, inboxPrefix } = this.#login;
        this.#connection = await connect({
          servers: this.#url,
          name: 'supervisor',
          timeout: timeoutMs,
          reconnect: false,
          ...(user !== undefined && { user, pass: password ?? '' }),
          ...(inboxPrefix !== undefined && { inboxPrefix }),
        });
      }
      const answer = await this.#connection.request('$JS.API.INFO', '', { timeout: timeoutMs });
      return !('error' in answer.json<object>());
    } catch {
      return false;
    }
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.#connection?.close().catch(() => {});
  }
}
