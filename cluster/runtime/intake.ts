import type { BusMessage, ConsumeOptions, Consumer } from '../../src/bus/bus.ts';
import type { NodeContext } from './context.ts';

/** What a worker does about messages that were delivered before. */
export interface SuspectOptions {
  /** The process before this one died at its work: begin with one message at a time. */
  afterCrash: boolean;
  /** Called when a message came again that must run alone: whatever only waits should make room. */
  onSuspect?: () => void;
}

/** A running intake. */
export interface Intake extends Pick<Consumer, 'stop' | 'inFlight'> {
  /** So many of the messages in hand only wait for something: as many more may be taken. */
  extend(messages: number): void;
}

/** Beyond the time after which a dead worker's messages come again. */
const CAREFUL_SLACK_MS = 5_000;

/**
 * Takes work from a durable so that a message which kills its worker every time takes no other message down with it. One that
 * was delivered before is suspect: somebody had it and did not finish. It is run alone, after all others in hand; and until
 * no suspect has come for a while, no further message is taken into the hand, since it would count as delivered too.
 */
export async function startIntake(
  context: Pick<NodeContext, 'bus' | 'clock' | 'log'>,
  options: ConsumeOptions,
  { afterCrash, onSuspect, work }: SuspectOptions & { work: (message: BusMessage) => Promise<void> },
): Promise<Intake> {
  const { bus, clock, log } = context;
  const { maxInFlight = 64, ackWaitMs = 30_000 } = options;
  const carefulMs = ackWaitMs + CAREFUL_SLACK_MS;
  const fresh = new Set<Promise<void>>();
  /** Resolves when no suspect runs; they run one after the other. */
  let suspects: Promise<void> = Promise.resolve();
  let carefulUntil = afterCrash ? clock.monotonic() + carefulMs : -Infinity;
  let careful = afterCrash;
  let consumer: Consumer | undefined = undefined;
  let extended = 0;
  const limit = (): void => consumer?.limit((careful ? 1 : maxInFlight) + extended);

  const changePace = (toCareful: boolean): void => {
    careful = toCareful;
    log.info(
      { durable: options.durable },
      toCareful ? 'a message came again: one at a time' : 'as many messages at once as before',
    );
    limit();
  };

  const handle = async (message: BusMessage): Promise<void> => {
    if (message.deliveryCount > 1) {
      carefulUntil = clock.monotonic() + carefulMs;
      if (!careful) changePace(true);
      onSuspect?.();
      // Only those that came before it: one that comes later waits for this one, and the two would wait for each other for ever.
      const before = Promise.allSettled([suspects, ...fresh]);
      const alone = before.then(() => work(message));
      suspects = alone.catch(() => {});
      await alone;
    } else {
      const running = suspects.then(() => work(message));
      fresh.add(running);
      await running.finally(() => fresh.delete(running));
    }
    if (careful && clock.monotonic() >= carefulUntil) changePace(false);
  };

  consumer = await bus.consume({ ...options, maxInFlight: careful ? 1 : maxInFlight }, handle);
  // The pace may have changed before there was anybody to tell.
  limit();
  const started = consumer;
  return {
    get inFlight() {
      return started.inFlight;
    },
    stop: (timeoutMs) => started.stop(timeoutMs),
    extend(messages) {
      if (messages === extended) return;
      extended = messages;
      limit();
    },
  };
}
