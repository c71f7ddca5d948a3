import { fromJson, toJson, type DescMessage, type DescMethod, type JsonValue, type Message } from '@bufbuild/protobuf';
import { MillraceError } from '../../../src/errors.ts';
import { AdminService } from '../../../src/gen/millrace/v1/admin_pb.ts';
import type { CallOptions } from '../../../src/rpc/options.ts';
import type { Scope } from '../scopes.ts';
import type { Admin, Coordinator } from './coordinator.ts';
import type { RpcMethod } from './route.ts';

/** What of the admin API is called with its own messages as JSON, and the scope that it takes. Calls that answer with a stream are not. */
const ADMIN_METHODS = {
  getJob: 'read',
  listJobs: 'read',
  listCheckpoints: 'read',
  listNodes: 'read',
  listActors: 'read',
  listBudgets: 'read',
  listAdapters: 'read',
  listExperiments: 'read',
  getExperiment: 'read',
  listSchedules: 'read',
  listDeadLetters: 'read',
  getStoreStats: 'read',
  pauseJob: 'write',
  resumeJob: 'write',
  cancelJob: 'write',
  setJobPriority: 'write',
} as const satisfies Partial<Record<keyof typeof AdminService.method, Scope>>;

/**
 * The methods `admin.*`: `admin.ListJobs` takes a ListJobsRequest in the JSON of Protocol Buffers as its params, and answers with a
 * ListJobsResponse.
 */
export function adminMethods(coordinator: Coordinator): Readonly<Record<string, RpcMethod>> {
  const names = Object.keys(ADMIN_METHODS) as (keyof typeof ADMIN_METHODS)[];
  return Object.fromEntries(
    names.map((name): [string, RpcMethod] => {
      const method = AdminService.method[name];
      return [
        `admin.${method.name}`,
        {
          scope: ADMIN_METHODS[name],
          async run(params, { signal }) {
            const request = requestOf(method, params);
            const call = (admin: Admin): Promise<Message> =>
              (admin[name] as (request: Message, options: CallOptions) => Promise<Message>)(request, { signal });
            const response = await coordinator.call(call);
            return toJson(method.output as DescMessage, response);
          },
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
