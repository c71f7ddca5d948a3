import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, DescService, Message, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { MillraceError } from '../errors.ts';

/** Largest message either way, in bytes. Bigger things travel in chunks. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Largest message from the parameter server to a learner, in bytes: a shard has at least one whole group, with its columns. */
export const MAX_SHARD_BYTES = 256 * 1024 * 1024;

/** The request type of a method. */
export type InputOf<M extends Pick<DescMethod, 'input'>> = MessageShape<M['input']>;
/** The response type of a method. */
export type OutputOf<M extends Pick<DescMethod, 'output'>> = MessageShape<M['output']>;
/** What may be given where a response is expected: a message or the fields of one. */
export type OutputInit<M extends Pick<DescMethod, 'output'>> = MessageInitShape<M['output']>;
/** What may be given where a request is expected. */
export type InputInit<M extends Pick<DescMethod, 'input'>> = MessageInitShape<M['input']>;

/**
 * Stands for a request whose bytes are no message of the expected type. grpc-js would answer with INTERNAL; the server's
 * error interceptor turns it into INVALID_ARGUMENT instead.
 */
export class UndecodableRequest {
  readonly error: MillraceError;

  constructor(type: string, cause: unknown) {
    this.error = new MillraceError(
      'invalid_argument',
      `The request is not a valid ${type}; are both sides built from the same .proto files?`,
      {
        cause,
      },
    );
  }
}

/** A protobuf-es service as what grpc-js wants. */
export function serviceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(service.methods.map((method) => [method.localName, methodDefinition(method)]));
}

/** A protobuf-es method as what grpc-js wants. Requests that cannot be decoded become an {@link UndecodableRequest}. */
export function methodDefinition(method: DescMethod): MethodDefinition<Message, Message> {
  const { input, output } = method;
  return {
    path: methodPath(method),
    originalName: method.localName,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (message) => encode(input, message),
    responseSerialize: (message) => encode(output, message),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
    requestDeserialize: (bytes) => {
      try {
        return fromBinary(input, bytes);
      } catch (thrown) {
        return new UndecodableRequest(input.typeName, thrown) as never;
      }
    },
  };
}

/** "/millrace.v1.AdminService/GetJob". */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode(schema: DescMessage, message: Message): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
