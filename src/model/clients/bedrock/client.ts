import type { BedrockRuntimeClient, ConverseStreamOutput } from '@aws-sdk/client-bedrock-runtime';
import type { Clock } from '../../../clock/clock.ts';
import { systemClock } from '../../../clock/system.ts';
import { MillraceError } from '../../../errors.ts';
import { throwIfStopped } from '../../http/post.ts';
import type { CallOptions, Model, ModelEvent, ModelRequest, ModelResult } from '../../model.ts';
import { ModelError } from '../../model-error.ts';
import { ResultBuilder } from '../../result-builder.ts';
import { ConverseStream, takeConverse } from './answer.ts';
import { bedrockError } from './errors.ts';
import { converseInput } from './request.ts';

/** Options of {@link bedrockModel}. */
export interface BedrockOptions {
  /** Id or ARN of the model or inference profile. */
  model: string;
  /** Default: that of the environment (AWS_REGION), else us-east-1. */
  region?: string;
  /** Address of the service. Default: Amazon's of the region. */
  endpoint?: string;
  /** Default: from the standard environment: variables, shared files, or the role of the machine. */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Name in settings, prices and records. Default: `model`. */
  name?: string;
  /** Measures durations. Default: the system's. */
  clock?: Clock;
}

type Library = typeof import('@aws-sdk/client-bedrock-runtime');

/**
 * A model behind Amazon Bedrock's Converse. Requests are signed by the AWS SDK, which is loaded at the first call. It knows no seeds,
 * log-probabilities and token ids. Makes each call once: retries, limits and prices are wrappers.
 *
 * Calls reject with `failed_precondition` where the package `@aws-sdk/client-bedrock-runtime` is not installed.
 */
export function bedrockModel(options: BedrockOptions): Model {
  const { model, name = model, clock = systemClock } = options;
  const what = `model '${name}' at Bedrock`;
  let opened: Promise<{ library: Library; client: BedrockRuntimeClient }> | undefined;
  const open = (): NonNullable<typeof opened> => (opened ??= connect(options));
  return {
    name,
    async generate(request: ModelRequest, { signal }: CallOptions = {}): Promise<ModelResult> {
      throwIfStopped(signal, what);
      const builder = new ResultBuilder(model, clock);
      const { library, client } = await open();
      const command = new library.ConverseCommand(converseInput(model, request));
      const answer = await client.send(command, stopping(signal)).catch((thrown: unknown) => {
        throw bedrockError(thrown, { what, signal, clock, hasBegun: false });
      });
      takeConverse(answer, builder);
      return builder.result();
    },
    async *stream(request: ModelRequest, { signal }: CallOptions = {}): AsyncGenerator<ModelEvent> {
      throwIfStopped(signal, what);
      const builder = new ResultBuilder(model, clock);
      const { library, client } = await open();
      // Leaving the loop must end the call as well.
      const left = new AbortController();
      const either = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
      const read = new ConverseStream(builder);
      let hasBegun = false;
      try {
        const command = new library.ConverseStreamCommand(converseInput(model, request));
        const { stream, $metadata } = await client.send(command, stopping(either));
        builder.id = $metadata.requestId;
        hasBegun = true;
        for await (const event of stream ?? ([] as never)) yield* read.take(event as ConverseStreamOutput);
      } catch (thrown) {
        throw bedrockError(thrown, { what, signal, clock, hasBegun });
      } finally {
        left.abort();
      }
      throwIfStopped(signal, what);
      if (builder.finish === undefined)
        throw new ModelError('MODEL_STREAM_CUT', `${what}: the stream ended before the answer did`);
      yield { type: 'end', result: builder.result() };
    },
  };
}

function stopping(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

async function connect(options: BedrockOptions): Promise<{ library: Library; client: BedrockRuntimeClient }> {
  const { region, endpoint, credentials } = options;
  let library: Library;
  try {
    library = await import('@aws-sdk/client-bedrock-runtime');
  } catch (cause) {
    throw new MillraceError(
      'failed_precondition',
      'Bedrock needs the package @aws-sdk/client-bedrock-runtime: npm install @aws-sdk/client-bedrock-runtime',
      { cause },
    );
  }
  const client = new library.BedrockRuntimeClient({
    region: region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    ...(credentials && { credentials }),
    // Tries are counted, and paid for, above.
    maxAttempts: 1,
    ...(endpoint !== undefined && { endpoint }),
    // Without TLS nobody negotiates the HTTP/2 that the library takes for granted.
    ...(endpoint?.startsWith('http:') && { requestHandler: new (await import('@smithy/node-http-handler')).NodeHttpHandler() }),
  });
  return { library, client };
}
