import { create } from '@bufbuild/protobuf';
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type {
  CallOptions as GrpcCallOptions,
  ChannelOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ClientWritableStream,
} from '@grpc/grpc-js';
import { MillraceError } from '../errors.ts';
import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import { ParameterServerService } from '../gen/millrace/v1/learner_pb.ts';
import { StoreService } from '../gen/millrace/v1/store_pb.ts';
import { methodDefinition, MAX_MESSAGE_BYTES } from './definition.ts';
import type { InputInit, InputOf, OutputOf } from './definition.ts';
import { ON_BEHALF_OF } from './guarded.ts';
import { quietGrpc } from './log.ts';
import { checkCallOptions, checkClientOptions, type CallOptions, type ClientOptions } from './options.ts';
import { errorFromStatus } from './status.ts';
import { readCall, writeWithDrain } from './streams.ts';
import { channelCredentials, trustingCredentials } from './tls.ts';

export type { CallOptions, ClientOptions } from './options.ts';

/** The client's end of a bidirectional stream. */
export interface ClientBidi<Out, In> {
  /** What the server sends, until it ends the call; throws when the call fails. Iterate it once. */
  readonly messages: AsyncIterable<In>;
  /** Resolves when the server has accepted the call; rejects when it refused it or cannot be reached. */
  readonly opened: Promise<void>;
  /** Waits while the server is slower. Rejects once the call is over. */
  send(message: Out): Promise<void>;
  /** Ends our half; the server still answers. */
  end(): void;
  /** Drops the call at once. */
  cancel(): void;
}

/** How a method is called, by its kind. Calls fail with the MillraceError that the server threw. */
export type ClientMethod<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: InputInit<M>, options?: CallOptions) => Promise<OutputOf<M>>
  : M['methodKind'] extends 'server_streaming'
    ? (request: InputInit<M>, options?: CallOptions) => AsyncIterable<OutputOf<M>>
    : M['methodKind'] extends 'client_streaming'
      ? (requests: AsyncIterable<InputInit<M>>, options?: CallOptions) => Promise<OutputOf<M>>
      : M['methodKind'] extends 'bidi_streaming'
        ? (options?: CallOptions) => ClientBidi<InputInit<M> | InputOf<M>, OutputOf<M>>
        : never;

/** A client of a generated service: its methods, and `close`. */
export type ServiceClient<S extends DescService> = { [K in keyof S['method']]: ClientMethod<S['method'][K]> } & {
  /** Drops the connection once the calls in progress are over. */
  close(): void;
};

const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 15_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5_000,
  // Cluster traffic never goes through the proxy that http_proxy names.
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

/** Role of the nodes that serve a service, by its full name: with TLS the server's certificate must be for it. */
const SERVERS: Readonly<Record<string, string>> = {
  [AdminService.typeName]: 'coordinator',
  [ParameterServerService.typeName]: 'parameter-server',
  [StoreService.typeName]: 'store',
};

/**
 * Connects (lazily) to a service at "host:port". Failures to connect are `unavailable` errors of the calls. Wrong options, here and in
 * a call, are `invalid_argument` with the field, and so is a request that cannot be encoded.
 */
export function createClient<S extends DescService>(service: S, address: string, options: ClientOptions = {}): ServiceClient<S> {
  checkClientOptions(options);
  quietGrpc();
  const secure =
    (options.tls && channelCredentials(options.tls, checkedAddress(address), SERVERS[service.typeName])) ??
    (options.trust && trustingCredentials(options.trust, checkedAddress(address)));
  const client = new Client(checkedAddress(address), secure?.credentials ?? credentials.createInsecure(), {
    ...CHANNEL_OPTIONS,
    ...secure?.options,
    ...(options.maxReceiveBytes !== undefined && { 'grpc.max_receive_message_length': options.maxReceiveBytes }),
  });
  const caller: Caller = { client, address, metadata: new Metadata(), timeoutMs: options.timeoutMs ?? 30_000 };
  // As metadata, since call credentials are refused on channels without TLS.
  if (options.token) caller.metadata.set('authorization', `Bearer ${options.token}`);
  const methods = service.methods.map((method) => [method.localName, callerOf(method, caller)] as const);
  return Object.assign(Object.fromEntries(methods), { close: () => client.close() }) as unknown as ServiceClient<S>;
}

interface Caller {
  client: Client;
  address: string;
  metadata: Metadata;
  timeoutMs: number;
}

function metadataOf({ metadata }: Caller, { onBehalfOf }: CallOptions): Metadata {
  if (onBehalfOf === undefined) return metadata;
  const own = metadata.clone();
  own.set(ON_BEHALF_OF, onBehalfOf);
  return own;
}

function callerOf(method: DescMethod, caller: Caller): unknown {
  switch (method.methodKind) {
    case 'unary':
      return (request: object, options?: CallOptions) => unary(method, caller, request, options);
    case 'server_streaming':
      return (request: object, options?: CallOptions) => serverStream(method, caller, request, options);
    case 'bidi_streaming':
      return (options?: CallOptions) => bidi(method, caller, options);
    case 'client_streaming':
      return (requests: AsyncIterable<object>, options?: CallOptions) => clientStream(method, caller, requests, options);
  }
}

async function unary(method: DescMethod, caller: Caller, request: object, options: CallOptions = {}): Promise<Message> {
  checkCallOptions(options);
  const { path, responseDeserialize } = methodDefinition(method);
  const encoded = encode(method, request);
  return new Promise((resolve, reject) => {
    const call = caller.client.makeUnaryRequest(
      path,
      asIs,
      responseDeserialize,
      encoded,
      metadataOf(caller, options),
      deadline(options.timeoutMs ?? caller.timeoutMs),
      (error, response) => {
        unlink();
        if (error) reject(abortedError(options.signal) ?? errorFromStatus(error, caller.address));
        else resolve(response as Message);
      },
    );
    const unlink = cancelOn(options.signal, call);
  });
}

async function* serverStream(
  method: DescMethod,
  caller: Caller,
  request: object,
  options: CallOptions = {},
): AsyncGenerator<Message> {
  checkCallOptions(options);
  const { path, responseDeserialize } = methodDefinition(method);
  const call: ClientReadableStream<Message> = caller.client.makeServerStreamRequest(
    path,
    asIs,
    responseDeserialize,
    encode(method, request),
    metadataOf(caller, options),
    deadline(options.timeoutMs),
  );
  const unlink = cancelOn(options.signal, call);
  call.on('error', () => {}); // Thrown by the iterator; this keeps a late one from ending the process.
  try {
    for await (const message of readCall<Message>(call)) yield message;
  } catch (thrown) {
    throw abortedError(options.signal) ?? errorFromStatus(thrown, caller.address);
  } finally {
    unlink();
    call.cancel();
  }
}

/** Sends what `requests` gives, as fast as the server takes it. What `requests` throws drops the call and is thrown here. */
async function clientStream(
  method: DescMethod,
  caller: Caller,
  requests: AsyncIterable<object>,
  options: CallOptions = {},
): Promise<Message> {
  checkCallOptions(options);
  const { path, responseDeserialize } = methodDefinition(method);
  const over = new AbortController();
  let call!: ClientWritableStream<Buffer>;
  const answer = new Promise<Message>((resolve, reject) => {
    call = caller.client.makeClientStreamRequest(
      path,
      asIs,
      responseDeserialize,
      metadataOf(caller, options),
      deadline(options.timeoutMs),
      (error, response) => {
        over.abort();
        if (error) reject(abortedError(options.signal) ?? errorFromStatus(error, caller.address));
        else resolve(response as Message);
      },
    );
  });
  answer.catch(() => {}); // Thrown below; this keeps one that comes while something is sent from ending the process.
  call.on('error', () => {});
  const unlink = cancelOn(options.signal, call);
  try {
    for await (const request of requests) {
      // The server has answered: what is wrong, or that it needs no more.
      if (over.signal.aborted) break;
      await writeWithDrain(call, encode(method, request), over.signal).catch((thrown: unknown) => {
        if (!over.signal.aborted) throw thrown;
      });
    }
    call.end();
    return await answer;
  } catch (thrown) {
    call.cancel();
    throw thrown;
  } finally {
    unlink();
  }
}

function bidi(method: DescMethod, caller: Caller, options: CallOptions = {}): ClientBidi<object, Message> {
  checkCallOptions(options);
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method);
  const call: ClientDuplexStream<Message, Message> = caller.client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    metadataOf(caller, options),
    deadline(options.timeoutMs),
  );
  const over = new AbortController();
  const unlink = cancelOn(options.signal, call);
  const failure = (thrown: unknown): MillraceError => abortedError(options.signal) ?? errorFromStatus(thrown, caller.address);
  call.on('error', (thrown: unknown) => over.abort(failure(thrown)));
  call.on('status', () => {
    unlink();
    over.abort(new MillraceError('unavailable', 'The server has ended the call.'));
  });
  const opened = new Promise<void>((resolve, reject) => {
    call.once('metadata', () => resolve());
    over.signal.addEventListener('abort', () => reject(over.signal.reason as MillraceError), { once: true });
  });
  opened.catch(() => {}); // Whoever waits for it sees it; the iterator tells the same error to the others.
  const messages = async function* (): AsyncGenerator<Message> {
    try {
      for await (const message of readCall<Message>(call)) yield message;
    } catch (thrown) {
      throw failure(thrown);
    }
  };
  return {
    opened,
    messages: messages(),
    send: (message) => writeWithDrain(call, create(method.input, message as never) as Message, over.signal),
    end: () => void call.end(),
    cancel: () => call.cancel(),
  };
}

/** The request's bytes. grpc-js would call one that cannot be encoded an internal error. */
function encode(method: DescMethod, request: object): Buffer {
  try {
    return methodDefinition(method).requestSerialize(create(method.input, request as never) as Message);
  } catch (thrown) {
    throw new MillraceError(
      'invalid_argument',
      `the request of ${method.name} cannot be encoded: ${MillraceError.from(thrown).message}`,
      {
        cause: thrown,
        field: 'request',
      },
    );
  }
}

const asIs = (bytes: Buffer): Buffer => bytes;

function deadline(timeoutMs: number | undefined): GrpcCallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (!signal) return () => {};
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

function abortedError(signal: AbortSignal | undefined): MillraceError | undefined {
  return signal?.aborted ? new MillraceError('cancelled', 'The call was cancelled.', { cause: signal.reason }) : undefined;
}

function checkedAddress(address: string): string {
  const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[^\s:/]+):(\d{1,5})$/.exec(address)?.[1]);
  if (port >= 1 && port <= 65535) return address;
  throw new MillraceError('invalid_argument', `"${address}" is no address; write host:port, e.g. 127.0.0.1:7500.`, {
    field: 'address',
  });
}
