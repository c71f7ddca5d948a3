import { createJSONRPCErrorResponse, isJSONRPCRequest, JSONRPCErrorCode, JSONRPCServer } from 'json-rpc-2.0';
import type { JSONRPCErrorResponse, JSONRPCID, JSONRPCResponse } from 'json-rpc-2.0';
import type { Logger } from 'pino';
import { requireScope } from '../../../src/access/authenticator.ts';
import { JSON_RPC_SCOPES } from '../../../src/access/required.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { CallOptions } from '../../../src/rpc/options.ts';
import type { GatewayRequest, Reply, Route } from '../routes.ts';
import { rpcError } from './errors.ts';

/** Options of what a method calls of the coordinator: it ends with the request, and is made for the gateway's caller. */
export type MethodContext = Required<Pick<CallOptions, 'signal' | 'onBehalfOf'>> & { signal: AbortSignal };

/** Gets the params as they came, checks them, and returns what JSON can hold. Throws MillraceErrors. */
export type RpcMethod = (params: unknown, context: MethodContext) => Promise<unknown>;

const MOST_REQUESTS = 100;
const AT_ONCE = 8;
const BODY_BYTES = 8 * 1024 * 1024;

type CallContext = Pick<GatewayRequest, 'caller' | 'signal'>;

/** `POST /rpc`: JSON-RPC 2.0 with batches of at most 100 requests and notifications. Whatever comes is answered, never with a crash. */
export function jsonRpcRoute(methods: Readonly<Record<string, RpcMethod>>, log: Pick<Logger, 'error'>): Route {
  const server = new JSONRPCServer<CallContext>({ errorListener: () => {} });
  for (const [name, run] of Object.entries(methods)) {
    const needed = JSON_RPC_SCOPES[name];
    if (needed === undefined) throw new MillraceError('internal', `what ${name} takes is not in JSON_RPC_SCOPES`);
    server.addMethod(name, async (params, { caller, signal }) => {
      if (caller === undefined) throw new MillraceError('unauthenticated', `${name} takes a credential.`);
      requireScope(caller, needed);
      return (await run(params, { signal, onBehalfOf: caller.name })) ?? null;
    });
  }
  server.mapErrorToJSONRPCErrorResponse = (id, thrown): JSONRPCErrorResponse => {
    const error = MillraceError.from(thrown);
    if (error.code === 'internal' || error.code === 'data_loss') log.error({ err: error }, 'a JSON-RPC call failed');
    const { code, message, data } = rpcError(error);
    return createJSONRPCErrorResponse(id, code, message, data);
  };
  const answer = async (request: unknown, context: CallContext): Promise<JSONRPCResponse | null> =>
    isObject(request) &&
    isJSONRPCRequest(request) &&
    typeof request.method === 'string' &&
    isStructured(request.params) &&
    isId(request.id)
      ? server.receive(request, context)
      : refused(
          idOf(request),
          JSONRPCErrorCode.InvalidRequest,
          'is no JSON-RPC 2.0 request: {"jsonrpc":"2.0","method":…,"params":{…},"id":…}',
        );
  return {
    method: 'POST',
    path: '/rpc',
    bodyBytes: BODY_BYTES,
    async handle({ body, caller, signal }) {
      let given: unknown;
      try {
        given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
      } catch (thrown) {
        return { json: refused(null, JSONRPCErrorCode.ParseError, `is no JSON: ${MillraceError.from(thrown).message}`) };
      }
      if (!Array.isArray(given)) return replyOf(await answer(given, { caller, signal }));
      if (given.length === 0 || given.length > MOST_REQUESTS)
        return {
          json: refused(
            null,
            JSONRPCErrorCode.InvalidRequest,
            `is a batch of ${given.length} requests; 1 to ${MOST_REQUESTS} are taken`,
          ),
        };
      const answers: JSONRPCResponse[] = [];
      for (let at = 0; at < given.length; at += AT_ONCE) {
        const some = await Promise.all(given.slice(at, at + AT_ONCE).map((one) => answer(one, { caller, signal })));
        answers.push(...some.filter((one) => one !== null));
      }
      return replyOf(answers.length === 0 ? null : answers);
    },
  };
}

/** Notifications alone are answered with nothing. */
function replyOf(answer: JSONRPCResponse | JSONRPCResponse[] | null): Reply {
  return answer === null ? { status: 204, text: '', contentType: 'application/json' } : { json: answer };
}

function refused(id: JSONRPCID, code: JSONRPCErrorCode, problem: string): JSONRPCErrorResponse {
  return createJSONRPCErrorResponse(id, code, `The request ${problem}.`, { code: 'invalid_argument', retryable: false });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isStructured(params: unknown): boolean {
  return params === undefined || isObject(params);
}

function isId(id: unknown): boolean {
  return id === undefined || id === null || typeof id === 'string' || (typeof id === 'number' && Number.isFinite(id));
}

function idOf(request: unknown): JSONRPCID {
  const id = isObject(request) ? (request as { id?: unknown }).id : null;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
