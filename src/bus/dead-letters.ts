import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import type { Bus, MaxDeliveries, StreamName } from './bus.ts';
import { MAX_DELIVERIES, deadLetterHeaders, deadLetterId, deadLetterOf, deadLetterSubject } from './dead-letter.ts';
import type { DeadLetter } from './dead-letter.ts';
import { topology } from './topology.ts';

export type { DeadLetter } from './dead-letter.ts';

/** Options of {@link startDeadLetters}. */
export interface DeadLettersOptions {
  clock: Clock;
  /** Time between two sweeps for messages whose advisory was missed, in ms. Default 30_000. */
  sweepMs?: number;
  /** Durables of the work queues to sweep. Default: rollout on ROLLOUTS and reward on GROUPS. */
  durables?: readonly { stream: StreamName; durable: string }[];
  /** Durable on the DLQ that `onDead` reads through; listeners of the same name share the letters. Default `dead-letters`. */
  durable?: string;
  /** What could not be moved this time; the next sweep tries again. */
  onError?: (error: MillraceError) => void;
}

/** A running undertaker. */
export interface DeadLetters {
  /** Looks for messages whose advisory was missed; also runs by itself. Returns how many it moved. */
  sweep(): Promise<number>;
  stop(): Promise<void>;
}

/** The work queues and who works them off. */
export const WORK_DURABLES = [
  { stream: 'ROLLOUTS', durable: 'rollout' },
  { stream: 'GROUPS', durable: 'reward' },
] as const satisfies readonly { stream: StreamName; durable: string }[];

const WORK_QUEUES: ReadonlySet<StreamName> = new Set(
  topology()
    .streams.filter((s) => s.retention === 'workqueue')
    .map((s) => s.name),
);

/**
 * Moves messages that were delivered too often to the DLQ and tells of every letter there.
 *
 * A message past its last delivery stays in a work queue without anyone getting it. The server announces it once, to whoever
 * listens; so the announcement is only the quick way, and a sweep finds what was missed. The copy has an id made of stream
 * and sequence, so several listeners store it once; only then is the original deleted. On a stream that is no work queue the
 * message is copied and kept, since other durables may still want it.
 *
 * `onDead` gets letters through a durable consumer, at least once each, also those given up with `term`, and also those from
 * before it listened. It gets a letter again when it throws.
 */
export async function startDeadLetters(
  bus: Bus,
  onDead: ((letter: DeadLetter) => void | Promise<void>) | undefined,
  options: DeadLettersOptions,
): Promise<DeadLetters> {
  const durables = options.durables ?? WORK_DURABLES;
  const moving = new Map<string, Promise<boolean>>();

  /** One move of a message at a time, however often it is announced. */
  const move = (event: MaxDeliveries): Promise<boolean> => {
    const name = `${event.stream}:${event.sequence}`;
    const running = moving.get(name) ?? moveOne(bus, event).finally(() => moving.delete(name));
    moving.set(name, running);
    return running;
  };
  const report = (thrown: unknown): void => options.onError?.(MillraceError.from(thrown));

  /** Seen once means little: an acknowledged message may be on its way out of the stream. */
  let suspects = new Set<string>();
  const sweep = async (): Promise<number> => {
    const seen = new Set<string>();
    let moved = 0;
    for (const { stream, durable } of durables) {
      for (const sequence of await bus.abandoned(stream, durable)) {
        const name = `${stream}:${sequence}`;
        seen.add(name);
        if (suspects.has(name) && (await move({ stream, durable, sequence, deliveries: 0 }))) moved++;
      }
    }
    suspects = seen;
    return moved;
  };

  const offAdvisories = bus.onMaxDeliveries((event) => void move(event).catch(report));
  const offSweep = options.clock.every(options.sweepMs ?? 30_000, () => sweep().then(() => {}, report));
  const consumer =
    onDead === undefined
      ? undefined
      : await bus.consume(
          { stream: 'DLQ', durable: options.durable ?? 'dead-letters', filter: 'dlq.>', maxDeliver: -1, maxInFlight: 16 },
          async (message) => {
            await onDead(deadLetterOf(message));
            await message.ack();
          },
        );
  return {
    sweep,
    async stop() {
      offAdvisories();
      offSweep();
      await consumer?.stop();
      await Promise.allSettled(moving.values());
    },
  };
}

async function moveOne(bus: Bus, event: MaxDeliveries): Promise<boolean> {
  const { stream, sequence, deliveries } = event;
  const message = await bus.message(stream, sequence);
  if (message === undefined) return false;
  const { subject, id, headers } = message;
  await bus.publish(deadLetterSubject(stream), message.data, {
    id: deadLetterId(stream, sequence),
    headers: deadLetterHeaders({ stream, subject, id, sequence, headers, deliveries, reason: MAX_DELIVERIES }),
  });
  if (WORK_QUEUES.has(stream)) await bus.deleteMessage(stream, sequence);
  return true;
}
