import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { hasParts, readParts, releaseParts } from '../../src/protocol/parts.ts';
import type { NodeContext } from './context.ts';
import { refuse, type Refusal, type Settlement } from './outcome.ts';

/** What a {@link Delivery} works with. */
export interface DeliveryContext extends Pick<NodeContext, 'bus' | 'log'> {
  /** Aborts when the worker is asked to stop. */
  draining: AbortSignal;
  /** Called once the message is settled, with how. */
  onSettled: (outcome: Settlement) => void;
}

/** One delivery of a message to a worker: how its parts are read, and how it is settled. */
export class Delivery {
  readonly message: BusMessage;
  /** Aborts when the worker is asked to stop: what only waits gives up, and the message is delivered to another. */
  readonly draining: AbortSignal;
  readonly #bus: Bus;
  readonly #log: DeliveryContext['log'];
  readonly #onSettled: (outcome: Settlement) => void;

  constructor(message: BusMessage, { bus, log, draining, onSettled }: DeliveryContext) {
    this.message = message;
    this.draining = draining;
    this.#bus = bus;
    this.#log = log;
    this.#onSettled = onSettled;
  }

  /** The bytes of a message that travels in parts; nothing of one that travels whole; `lost` when they are not there any more. */
  async parts(): Promise<{ bytes?: Uint8Array; lost?: Refusal }> {
    if (!hasParts(this.message)) return {};
    try {
      return { bytes: await readParts(this.#bus, this.message) };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'data_loss') throw error;
      return { lost: refuse(error.message) };
    }
  }

  /** Settles the message. Throws what `BusMessage.ack` does; the message is then delivered again. */
  async settle(outcome: Settlement): Promise<void> {
    switch (outcome.kind) {
      case 'kept':
        return;
      case 'later':
        this.message.nak(outcome.delayMs);
        break;
      case 'refused':
        this.message.term(outcome.reason);
        break;
      case 'moved':
        await this.message.ack();
        break;
      case 'done':
        await this.message.ack();
        await this.#releaseParts();
    }
    this.#onSettled(outcome);
  }

  async #releaseParts(): Promise<void> {
    await releaseParts(this.#bus, this.message).catch((error: unknown) => {
      this.#log.warn({ err: error, id: this.message.id }, 'parts of a message stay until its job ends');
    });
  }
}
