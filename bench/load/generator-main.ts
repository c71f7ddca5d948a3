/** Process that publishes scored groups as reward actors do: at a set rate or as fast as they are taken. */
import { setTimeout as sleep } from 'node:timers/promises';
import { publishWithRoom } from '../../src/bus/backpressure.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { StreamName } from '../../src/protocol/names.ts';
import { connectBus } from '../../src/protocol/connect.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { AcceptedLog } from './accepted-log.ts';
import { groupMessage, type GroupMessage } from './messages.ts';
import type { GroupTemplate } from './templates.ts';
import { TokenBucket } from './token-bucket.ts';
import { serveOrders } from './worker.ts';

/** What a generator can be told. */
export type GeneratorOrder =
  | { kind: 'open'; natsUrl: string; name: string; templates: GroupTemplate[] }
  /** Makes messages `first`, `first + stride` ... of a job ahead of time, in place of those made before. */
  | { kind: 'prepare'; job: string; first: number; stride: number; count: number; probe?: Probe }
  /** Publishes what is prepared. */
  | ({ kind: 'publish'; stream: 'SCORED' | 'GROUPS' } & Pace & { log?: string })
  /** Makes and publishes one message after the other for a time. What its log says is accepted is not sent again. */
  | ({ kind: 'endure'; job: string; first: number; stride: number; forMs: number; log: string } & Pace);

/** Every `every`-th message is of this job in place of the other: whoever waits for messages in the store asks for it. */
export interface Probe {
  job: string;
  every: number;
}

/** How fast a generator goes. */
interface Pace {
  /** Steps a second, by a schedule that does not wait for anything; absent: as fast as it goes. */
  stepsPerSecond?: number;
  /** Messages published and not acknowledged yet. */
  window: number;
  /** Waits while the stream holds more than this: a stand-in for admission, which bounds what is under way. */
  backlogBytes?: number;
}

/** What an order comes to. */
export interface GeneratorResult {
  messages: number;
  steps: number;
  bytes: number;
  /** By published message: its sequence; when it was due; when it was acknowledged. Unix times in ms. */
  sequences: number[];
  dueMs: number[];
  acceptedMs: number[];
}

/** Sent at most a few times a second. */
export interface GeneratorEvent {
  accepted: number;
  steps: number;
}

const EVENT_EVERY_MS = 200;
const BACKLOG_EVERY_MS = 25;
/** A stream that takes nothing for this long is broken. */
const PATIENCE_MS = 5 * 60_000;
const RETRY_MS = 500;

let bus: Bus | undefined;
let templates: GroupTemplate[] = [];
let prepared: GroupMessage[] = [];

const now = (): number => performance.timeOrigin + performance.now();

serveOrders<GeneratorOrder, GeneratorResult, GeneratorEvent>(
  async (order, emit) => {
    switch (order.kind) {
      case 'open':
        bus = await connectBus({ servers: order.natsUrl, name: order.name });
        templates = order.templates;
        return summary([]);
      case 'prepare':
        prepared = Array.from({ length: order.count }, (_, at) => {
          const sequence = order.first + at * order.stride;
          const { probe } = order;
          return made(probe !== undefined && at % probe.every === 0 ? probe.job : order.job, sequence);
        });
        return summary(prepared);
      case 'publish':
        return publishAll(prepared, order.stream, order, emit, order.log);
      case 'endure':
        return publishAll(endlessly(order), 'SCORED', order, emit, order.log);
    }
  },
  async () => bus?.close(),
);

function made(job: string, sequence: number): GroupMessage {
  return groupMessage(templates[sequence % templates.length]!, { job, sequence, nowUs: Math.round(now() * 1000) });
}

/** New messages for `forMs`, each made when it is wanted. */
function* endlessly(order: { job: string; first: number; stride: number; forMs: number; log: string }): Iterable<GroupMessage> {
  const end = now() + order.forMs;
  const accepted = AcceptedLog.read(order.log);
  for (let sequence = order.first; now() < end; sequence += order.stride) {
    if (!accepted.has(sequence)) yield made(order.job, sequence);
  }
}

/** Publishes with at most `window` on their way; a message counts as accepted when the server has acknowledged it. */
async function publishAll(
  messages: Iterable<GroupMessage>,
  stream: StreamName,
  { stepsPerSecond, window, backlogBytes }: Pace,
  emit: (event: GeneratorEvent) => void,
  logPath: string | undefined,
): Promise<GeneratorResult> {
  if (bus === undefined) throw new MillraceError('failed_precondition', 'the generator is not connected');
  const to = bus;
  const log = logPath === undefined ? undefined : AcceptedLog.open(logPath);
  const bucket = new TokenBucket({ ratePerSecond: stepsPerSecond ?? Infinity, startMs: now() });
  const result = summary([]);
  const running = new Set<Promise<void>>();
  let failure: MillraceError | undefined;
  let told = 0;
  const room = backlogBytes === undefined ? undefined : watchBacklog(to, stream, backlogBytes);
  try {
    for (const message of messages) {
      const due = stepsPerSecond === undefined ? now() : bucket.take(message.steps);
      if (due > now()) await sleep(due - now());
      while (running.size >= window) await Promise.race(running);
      await room?.wait();
      if (failure !== undefined) break;
      const subject = stream === 'SCORED' ? message.subject : message.subject.replace('scored.', 'group.');
      const send = publishUntilAccepted(to, subject, message)
        .then(
          () => {
            log?.append(message);
            result.messages += 1;
            result.steps += message.steps;
            result.bytes += message.data.length;
            result.sequences.push(message.sequence);
            result.dueMs.push(due);
            result.acceptedMs.push(now());
          },
          (error: unknown) => void (failure = MillraceError.from(error)),
        )
        .finally(() => running.delete(send));
      running.add(send);
      if (now() - told > EVENT_EVERY_MS) {
        told = now();
        emit({ accepted: result.messages, steps: result.steps });
      }
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure;
    return result;
  } finally {
    room?.close();
    log?.close();
  }
}

/**
 * Publishes like a reward actor, who gets a group again and publishes it again when an acknowledgement does not come: under the
 * same id, so that the stream drops what it has.
 */
async function publishUntilAccepted(to: Bus, subject: string, { id, data }: GroupMessage): Promise<void> {
  const giveUpAt = now() + PATIENCE_MS;
  for (;;) {
    try {
      await publishWithRoom(to, subject, data, { id, clock: systemClock, timeoutMs: PATIENCE_MS });
      return;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!error.retryable || now() > giveUpAt) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/** Looks at the stream's size every so often; `wait` holds its caller while it is too large. */
function watchBacklog(of: Bus, stream: StreamName, limit: number): { wait: () => Promise<void>; close: () => void } {
  let full = false;
  let closed = false;
  const look = async (): Promise<void> => {
    while (!closed) {
      // A server that does not answer takes nothing either; the next look is soon.
      full = await of.streamState(stream).then(
        ({ bytes }) => bytes > limit,
        () => full,
      );
      await sleep(BACKLOG_EVERY_MS);
    }
  };
  void look();
  return {
    async wait() {
      while (full) await sleep(BACKLOG_EVERY_MS / 5);
    },
    close() {
      closed = true;
    },
  };
}

function summary(messages: readonly GroupMessage[]): GeneratorResult {
  return {
    messages: messages.length,
    steps: messages.reduce((sum, { steps }) => sum + steps, 0),
    bytes: messages.reduce((sum, { data }) => sum + data.length, 0),
    sequences: [],
    dueMs: [],
    acceptedMs: [],
  };
}
