import type { EventEmitter } from 'node:events';
import { create } from '@bufbuild/protobuf';
import type { DescMethod, DescService, Message } from '@bufbuild/protobuf';
import { Metadata } from '@grpc/grpc-js';
import type {
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import type { Caller } from '../access/authenticator.ts';
import type { CallGuard } from '../access/guard.ts';
import { MillraceError } from '../errors.ts';
import type { InputOf, OutputInit } from './definition.ts';
import { methodPath } from './definition.ts';
import type { RpcLog } from './log.ts';
import { callerOf } from './guarded.ts';
import { statusFrom, TRACE_KEY } from './status.ts';
import { readCall, writeWithDrain } from './streams.ts';

/** What a handler knows about the call besides the request. */
export interface CallContext {
  /** Aborts when the caller is gone, its deadline has passed or the server stops; the reason is a MillraceError. */
  readonly signal: AbortSignal;
  /** Unix time in milliseconds at which the caller gives up; Infinity for streams without a deadline. */
  readonly deadline: number;
  /** Address of the other side, "127.0.0.1:40112". */
  readonly peer: string;
  /** Id of the call in the logs: 32 hexadecimal digits, from the caller's `traceparent` when it sent one. */
  readonly traceId: string;
  /** Who calls; undefined where the service has no {@link ServiceRegistration.guard}. */
  readonly caller?: Caller | undefined;
}

/** The server's end of a bidirectional stream. */
export interface BidiCall<In, Out> {
  /** Ends when the other side has ended its half. */
  readonly messages: AsyncIterable<In>;
  /** Waits while the other side is slower. */
  send(message: Out): Promise<void>;
}

/** The handler of one method, by its kind. What it throws becomes the status of the call. */
export type Handler<M extends DescMethod> = M['methodKind'] extends 'unary'
  ? (request: InputOf<M>, context: CallContext) => Promise<OutputInit<M>> | OutputInit<M>
  : M['methodKind'] extends 'server_streaming'
    ? (request: InputOf<M>, context: CallContext) => AsyncIterable<OutputInit<M>>
    : M['methodKind'] extends 'client_streaming'
      ? (requests: AsyncIterable<InputOf<M>>, context: CallContext) => Promise<OutputInit<M>>
      : (call: BidiCall<InputOf<M>, OutputInit<M>>, context: CallContext) => Promise<void>;

/** One handler for each method of a generated service. */
export type Handlers<S extends DescService> = { [K in keyof S['method']]: Handler<S['method'][K]> };

/** A service with its handlers, ready for {@link startServer}. */
export interface ServiceRegistration {
  readonly service: DescService;
  /** Bearer token that its calls must carry. Default: the server's. */
  readonly token?: string | undefined;
  /**
   * Roles whose certificates may call it, where the server has TLS; `anyone`: those without a certificate, too, and without a token off loopback. Default: who has a
   * certificate of the authority, for this cluster or none.
   */
  readonly peers?: readonly string[] | 'anyone' | undefined;
  /** Decides by the credential of each call whether it may go on; in place of {@link token}. */
  readonly guard?: CallGuard | undefined;
  /** Handlers in the form that grpc-js calls. `stopping` aborts when the server stops. */
  bind(environment: HandlerEnvironment): Record<string, UntypedHandleCall>;
}

/** What the server gives to every handler. */
export interface HandlerEnvironment {
  stopping: AbortSignal;
  log: RpcLog;
}

/** Puts a generated service and its handlers together. */
export function defineService<S extends DescService>(service: S, handlers: Handlers<S>): ServiceRegistration {
  return {
    service,
    bind: (environment) =>
      Object.fromEntries(
        service.methods.map((method) => [
          method.localName,
          adapt(method, (handlers as AnyHandlers)[method.localName]!, environment),
        ]),
      ),
  };
}

/* The types of handlers are checked by defineService; behind it they are handled alike. */
type AnyHandlers = Record<string, AnyHandler>;
type AnyHandler = (input: unknown, context: CallContext) => unknown;
type AnyCall =
  | ServerUnaryCall<Message, Message>
  | ServerReadableStream<Message, Message>
  | ServerWritableStream<Message, Message>
  | ServerDuplexStream<Message, Message>;

function adapt(method: DescMethod, handler: AnyHandler, environment: HandlerEnvironment): UntypedHandleCall {
  const output = (value: unknown): Message => create(method.output, value as never);
  const failed = (thrown: unknown, context: CallContext): ReturnType<typeof statusFrom> => {
    const error = MillraceError.from(thrown);
    const fields = { method: methodPath(method), traceId: context.traceId, err: error };
    if (error.code === 'internal' || error.code === 'data_loss') environment.log.error(fields, 'call failed');
    else environment.log.debug(fields, 'call refused');
    return statusFrom(error);
  };
  const respond = (context: CallContext, input: unknown, done: sendUnaryData<Message>): void => {
    void Promise.resolve()
      .then(() => handler(input, context))
      .then(output)
      .then(
        (message) => done(null, message),
        (thrown: unknown) => done(failed(thrown, context)),
      );
  };
  const finish = (call: ServerWritableStream<Message, Message> | ServerDuplexStream<Message, Message>, context: CallContext) => ({
    ok: () => void call.end(),
    failed: (thrown: unknown) => {
      if (!call.destroyed) call.emit('error', failed(thrown, context));
    },
  });
  switch (method.methodKind) {
    case 'unary':
      return (call: ServerUnaryCall<Message, Message>, done: sendUnaryData<Message>) =>
        respond(openContext(call, environment), call.request, done);
    case 'client_streaming':
      return (call: ServerReadableStream<Message, Message>, done: sendUnaryData<Message>) => {
        const context = openContext(call, environment);
        respond(context, readAll(call, context.signal), done);
      };
    case 'server_streaming':
      return (call: ServerWritableStream<Message, Message>) => {
        const context = openContext(call, environment);
        const end = finish(call, context);
        const run = async (): Promise<void> => {
          for await (const value of handler(call.request, context) as AsyncIterable<unknown>) {
            await writeWithDrain(call, output(value), context.signal);
          }
        };
        run().then(end.ok, end.failed);
      };
    case 'bidi_streaming':
      return (call: ServerDuplexStream<Message, Message>) => {
        const context = openContext(call, environment);
        const end = finish(call, context);
        // Headers at once: they tell the client that the stream is open before the first message.
        call.sendMetadata(new Metadata());
        const bidi: BidiCall<Message, unknown> = {
          messages: readAll(call, context.signal),
          send: (value) => writeWithDrain(call, output(value), context.signal),
        };
        Promise.resolve()
          .then(() => handler(bidi, context))
          .then(end.ok, end.failed);
      };
  }
}

/** What arrives, until the other side ends; a broken stream throws the reason of the call's signal. */
async function* readAll<T>(call: unknown, signal: AbortSignal): AsyncGenerator<T> {
  try {
    for await (const message of readCall<T>(call)) yield message;
  } catch (thrown) {
    throw signal.aborted ? signal.reason : thrown;
  }
}

function openContext(call: AnyCall, environment: HandlerEnvironment): CallContext {
  const controller = new AbortController();
  const { stopping } = environment;
  const stop = (): void => controller.abort(new MillraceError('unavailable', 'The server is stopping; try again in a moment.'));
  const deadline = Number(call.getDeadline());
  if (stopping.aborted) stop();
  else stopping.addEventListener('abort', stop, { once: true });
  (call as EventEmitter).on('cancelled', () => {
    stopping.removeEventListener('abort', stop);
    controller.abort(
      Date.now() >= deadline
        ? new MillraceError('deadline_exceeded', 'The deadline of the call has passed.')
        : new MillraceError('cancelled', 'The caller has ended the call.'),
    );
  });
  const traceId = call.metadata.get(TRACE_KEY)[0];
  return {
    ...{ signal: controller.signal, deadline, peer: call.getPeer(), caller: callerOf(call.metadata) },
    traceId: typeof traceId === 'string' ? traceId : '',
  };
}
