import { MillraceError } from '../../errors.ts';
import { retryAfterMs } from '../../http/retry-after.ts';
import { ModelError, type ModelProblem } from '../model-error.ts';
import { quoted, type Endpoint } from './endpoint.ts';
import { boundedText } from './body.ts';

/** Most that is read of an answer that is an error. */
const MAX_ERROR_BYTES = 64 * 1024;

/** Errors of a connection that was never made: the request did not leave. */
const NOT_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'ENETUNREACH', 'EHOSTUNREACH'];

/** What is posted. */
export interface Post {
  /** Below the endpoint's address: `/chat/completions`. */
  path: string;
  body: unknown;
  signal: AbortSignal | undefined;
}

/**
 * Posts JSON and returns an answer with a status below 300, its body unread.
 *
 * @throws ModelError for every other status, and where there is no connection; MillraceError `cancelled`
 */
export async function post(endpoint: Endpoint, { path, body, signal }: Post): Promise<Response> {
  const { what, url, headers } = endpoint;
  let response: Response;
  try {
    const init = { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' as const };
    response = await fetch(`${url}${path}`, signal === undefined ? init : { ...init, signal });
  } catch (thrown) {
    throwIfStopped(signal, what);
    const { code = '', message } = deepest(thrown);
    throw new ModelError('MODEL_UNREACHABLE', `${what}: no connection (${quoted(code || message, endpoint.secrets)})`, {
      maybeBilled: !NOT_SENT.includes(code),
    });
  }
  if (response.ok) return response;
  throw await refusalOf(endpoint, response, signal);
}

/** Throws `cancelled` where a call was stopped. */
export function throwIfStopped(signal: AbortSignal | undefined, what: string): void {
  if (!signal?.aborted) return;
  const { reason } = signal as { reason: unknown };
  // A time limit of our own stops calls as well, and says so.
  if (reason instanceof MillraceError) throw reason;
  throw new MillraceError('cancelled', `${what}: the call was stopped`, { cause: reason });
}

/** The error underneath: `fetch failed` alone says nothing. */
export function deepest(thrown: unknown): { code?: string; message: string } {
  let found = thrown as { code?: string; message?: string; cause?: unknown; errors?: unknown[] } | undefined;
  for (let depth = 0; depth < 5 && typeof (found?.cause ?? found?.errors?.[0]) === 'object'; depth++)
    found = (found?.cause ?? found?.errors?.[0]) as typeof found;
  return { ...(typeof found?.code === 'string' && { code: found.code }), message: found?.message ?? String(thrown) };
}

/** What a status means. */
export function problemOf(status: number): ModelProblem {
  if (status === 401 || status === 403) return 'MODEL_UNAUTHENTICATED';
  if (status === 404) return 'MODEL_NOT_FOUND';
  if (status === 408 || status === 504) return 'MODEL_TIMEOUT';
  if (status === 429) return 'MODEL_RATE_LIMITED';
  if (status === 503 || status === 529) return 'MODEL_OVERLOADED';
  return status >= 500 ? 'MODEL_FAILED' : 'MODEL_REQUEST_REFUSED';
}

const ADVICE: Partial<Record<ModelProblem, string>> = {
  MODEL_UNAUTHENTICATED: 'check the key of the provider',
  MODEL_NOT_FOUND: 'check the address and the name of the model',
};

async function refusalOf(endpoint: Endpoint, response: Response, signal: AbortSignal | undefined): Promise<Error> {
  const { what, secrets, clock } = endpoint;
  const { status, headers } = response;
  const body = await boundedText(response, MAX_ERROR_BYTES).catch(() => '');
  throwIfStopped(signal, what);
  const problem = problemOf(status);
  const { message, code } = saidIn(body);
  const said = message === '' ? '' : `: ${quoted(message, secrets)}`;
  const advice = ADVICE[problem] === undefined ? '' : `; ${ADVICE[problem]}`;
  return new ModelError(problem, `${what}: HTTP ${status}${said}${advice}`, {
    status,
    retryAfterMs: retryAfterMs(headers.get('retry-after'), clock.now()),
    ...(code !== undefined && { providerCode: quoted(code, secrets) }),
    // Answered with an error: no provider charges for that.
    maybeBilled: false,
  });
}

/** What an error says, in the forms that providers have: `{ error: { message, code } }`, `{ error: "…" }`, `{ message }`, or text. */
export function saidIn(body: string): { message: string; code?: string | undefined } {
  let json: unknown;
  try {
    json = JSON.parse(body) as unknown;
  } catch {
    return { message: body.startsWith('<') ? '' : body };
  }
  const outer = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const inner =
    typeof outer['error'] === 'object' && outer['error'] !== null ? (outer['error'] as Record<string, unknown>) : outer;
  const message = [inner['message'], outer['error'], outer['message'], outer['detail']].find((each) => typeof each === 'string');
  const code = [inner['code'], inner['type']].find((each) => typeof each === 'string');
  return { message: (message as string | undefined) ?? '', code: code as string | undefined };
}
