import type { BusMessage, ConsumeOptions, Consumer } from '../src/bus/bus.ts';
import type { NodeContext } from './context.ts';

/** Options of {@link startIntake}. */
export interface IntakeOptions extends ConsumeOptions {
  maxInFlight: number;
  ackWaitMs: number;
  /** The process before this one died at its work: begin with one message at a time. */
  afterCrash: boolean;
}

/** Beyond the time after which a dead worker's messages come again. */
const CAREFUL_SLACK_MS = 5_000;
/** How long work in hand may take to end when the pace changes; what takes longer is done twice. */
const DRAIN_MS = 60_000;
const RETRY_MS = 1_000;

/**
 * Takes work from a durable so that a message which kills its worker every time takes no other message down with it. One that
 * was delivered before is suspect: somebody had it and did not finish. It is run alone, after all others in hand; and until
 * no suspect has come for a while, no further message is taken into the hand, since it would count as delivered too.
 */
export async function startIntake(
  context: NodeContext,
  { afterCrash, ...options }: IntakeOptions,
  work: (message: BusMessage) => Promise<void>,
): Promise<Pick<Consumer, 'stop'>> {
  const { bus, clock, log } = context;
  const { maxInFlight, ackWaitMs } = options;
  const carefulMs = ackWaitMs + CAREFUL_SLACK_MS;
  const stopping = new AbortController();
  const fresh = new Set<Promise<void>>();
  /** Suspects run one after the other. */
  let suspects: Promise<void> = Promise.resolve();
  let carefulUntil = afterCrash ? clock.monotonic() + carefulMs : -Infinity;
  let careful = afterCrash;
  let consumer: Consumer | undefined;
  let changing: Promise<void> = Promise.resolve();

  const handle = async (message: BusMessage): Promise<void> => {
    if (message.deliveryCount > 1) {
      carefulUntil = clock.monotonic() + carefulMs;
      if (!careful) changePace(true);
      suspects = suspects.then(() => Promise.all(fresh)).then(() => work(message));
      await suspects;
    } else {
      const running = work(message);
      fresh.add(running);
      await running;
      fresh.delete(running);
    }
    if (careful && clock.monotonic() >= carefulUntil) changePace(false);
  };

  const consume = (): Promise<Consumer> => bus.consume({ ...options, maxInFlight: careful ? 1 : maxInFlight }, handle);

  const changePace = (toCareful: boolean): void => {
    careful = toCareful;
    log.info(
      { durable: options.durable },
      toCareful ? 'a message came again: one at a time' : 'as many messages at once as before',
    );
    changing = changing.then(async () => {
      await consumer?.stop(DRAIN_MS);
      while (!stopping.signal.aborted) {
        try {
          consumer = await consume();
          return;
        } catch (error) {
          log.warn({ err: error, durable: options.durable }, 'work cannot be taken; trying again');
          await clock.sleep(RETRY_MS, stopping.signal).catch(() => {});
        }
      }
    });
  };

  consumer = await consume();
  return {
    async stop(timeoutMs) {
      stopping.abort();
      await consumer?.stop(timeoutMs);
      await changing;
    },
  };
}
