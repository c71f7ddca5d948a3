import { randomUUID } from 'node:crypto';
import type { ConsumerConfig, ConsumerInfo } from '@nats-io/jetstream';
import { nanos } from '@nats-io/nats-core';
import { MillraceError } from '../../errors.ts';
import type { ConsumeOptions } from '../bus.ts';
import { API_ERRORS, apiCode, isStreamGone } from './errors.ts';
import type { JetStreamConnection } from './connection.ts';

/** How long a worker waits for its durable, and how often it looks, in ms. */
const AWAIT_MS = 10_000;
const LOOK_MS = 100;
/** Begins the description of each durable; the rest is made up when it is made. */
const MARK = 'millrace ';

function durableConfig(options: ConsumeOptions): Partial<ConsumerConfig> & { filter_subject: string } {
  return {
    durable_name: options.durable,
    filter_subject: options.filter,
    ack_policy: 'explicit',
    deliver_policy: 'all',
    replay_policy: 'instant',
    ack_wait: nanos(options.ackWaitMs ?? 30_000),
    // Enforced by the consumers: a message that the server gives up stays stored without anyone getting it, is announced once
    // to whoever listens, and cannot be told from one at work afterwards.
    max_deliver: -1,
    max_ack_pending: options.maxAckPending ?? 1000,
    max_waiting: 512,
  };
}

/**
 * Creates the durable, or changes an existing one of the same filter to these options. Returns what tells it from others of its
 * name. `failed_precondition` when one with another filter has the name.
 */
export async function ensureDurable(link: JetStreamConnection, options: ConsumeOptions): Promise<string> {
  if (link.worker) return awaitDurable(link, options);
  const what = `durable ${options.durable} of ${options.stream}`;
  const asked = { ...durableConfig(options), description: `${MARK}${randomUUID()}` };
  const { consumers } = link.jsm;
  const add = (): Promise<ConsumerInfo | undefined> =>
    link.call(what, () =>
      consumers.add(options.stream, asked).then(
        // Read again: somebody else may have made it at the same time.
        () => durableInfo(link, options),
        (thrown: unknown) => {
          if (apiCode(thrown) === API_ERRORS.consumerExists) return undefined;
          throw thrown;
        },
      ),
    );
  const found = (await durableInfo(link, options)) ?? (await add()) ?? (await durableInfo(link, options));
  const config = found?.config;
  if (found === undefined || config?.filter_subject !== asked.filter_subject) {
    throw new MillraceError(
      'failed_precondition',
      `${what} exists with the filter ${config?.filter_subject ?? '(none)'}; \`millrace doctor\` says how to delete it`,
      { field: 'filter' },
    );
  }
  const { ack_wait, max_deliver, max_ack_pending } = asked;
  if (config.ack_wait !== ack_wait || config.max_deliver !== max_deliver || config.max_ack_pending !== max_ack_pending) {
    await link.call(what, () => consumers.update(options.stream, options.durable, { ack_wait, max_deliver, max_ack_pending }));
  }
  return incarnation(found);
}

/**
 * What tells a durable from others that had its name before. Its time of creation does not: nats-server 2.9 notes one time in memory
 * and a slightly later one on disk, so that it changes when the server is started again. Durables of older versions have nothing else.
 */
export function incarnation({ config, created }: ConsumerInfo): string {
  return config.description?.startsWith(MARK) ? config.description : created;
}

/** Of a durable that somebody else makes. `unavailable` when it is not there in time. */
async function awaitDurable(link: JetStreamConnection, options: ConsumeOptions): Promise<string> {
  const deadline = performance.now() + AWAIT_MS;
  for (;;) {
    const found = await durableInfo(link, options).catch((thrown: unknown) => {
      if (isStreamGone(thrown)) return undefined;
      throw thrown;
    });
    if (found !== undefined) return incarnation(found);
    if (performance.now() > deadline) {
      throw new MillraceError(
        'unavailable',
        `durable ${options.durable} of ${options.stream} is not there; a store or coordinator node makes it when it starts`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The durable as the server has it; undefined when it, but not its stream, is missing. */
export function durableInfo(
  link: JetStreamConnection,
  { stream, durable }: Pick<ConsumeOptions, 'stream' | 'durable'>,
): Promise<ConsumerInfo | undefined> {
  return link.call(`durable ${durable} of ${stream}`, () =>
    link.jsm.consumers.info(stream, durable).catch((thrown: unknown) => {
      if (apiCode(thrown) === API_ERRORS.consumerNotFound) return undefined;
      throw thrown;
    }),
  );
}
