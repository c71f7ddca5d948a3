import { fromJson, toJson, type DescMessage, type DescMethod, type JsonValue, type Message } from '@bufbuild/protobuf';
import { JSON_RPC_ADMIN_METHODS } from '../../../src/access/required.ts';
import { MillraceError } from '../../../src/errors.ts';
import { AdminService } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { CallOptions } from '../../../src/rpc/options.ts';
import type { Admin, Coordinator } from './coordinator.ts';
import type { RpcMethod } from './route.ts';

/**
 * The methods `admin.*`: `admin.ListJobs` takes a ListJobsRequest in the JSON of Protocol Buffers as its params, and answers with a
 * ListJobsResponse.
 */
export function adminMethods(coordinator: Coordinator): Readonly<Record<string, RpcMethod>> {
  return Object.fromEntries(
    JSON_RPC_ADMIN_METHODS.map((name): [string, RpcMethod] => {
      const method = AdminService.method[name];
      return [
        `admin.${method.name}`,
        async (params, options) => {
          const request = requestOf(method, params);
          const call = (admin: Admin): Promise<Message> =>
            (admin[name] as (request: Message, options: CallOptions) => Promise<Message>)(request, options);
          const response = await coordinator.call(call);
          return toJson(method.output as DescMessage, response);
        },
      ];
    }),
  );
}

function requestOf({ input }: DescMethod, params: unknown): Message {
  try {
    return fromJson(input, (params ?? {}) as JsonValue);
  } catch (cause) {
    const { message } = MillraceError.from(cause);
    throw new MillraceError('invalid_argument', `params are no ${input.name}: ${message}`, { cause, field: 'params' });
  }
}
