import { session } from './session.ts';
import type { QueryRows } from './types.ts';

/** What went wrong with a call, in the words of the cluster. */
export class CallError extends Error {
  readonly code: string;
  readonly field: string | undefined;

  constructor(message: string, code: string, field?: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

interface RpcAnswer<T> {
  result?: T;
  error?: { message: string; data?: { code?: string; field?: string } };
}

/** Calls a method of the gateway's JSON-RPC (docs/json-rpc.md). Throws a {@link CallError}. */
export async function call<T>(method: string, params: object = {}, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch('/rpc', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Millrace-CSRF': session.value?.csrf ?? '' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      ...(signal && { signal }),
    });
  } catch (thrown) {
    if (signal?.aborted) throw thrown;
    throw new CallError('The gateway does not answer; it may be starting again.', 'unavailable');
  }
  if (response.status === 401) {
    session.value = null;
    throw new CallError('The login has ended.', 'unauthenticated');
  }
  const { result, error } = await answerOf<T>(response);
  if (error !== undefined) throw new CallError(error.message, error.data?.code ?? 'internal', error.data?.field);
  return result as T;
}

/** Errors before the JSON-RPC, e.g. too many requests, have a form of their own. */
async function answerOf<T>(response: Response): Promise<RpcAnswer<T>> {
  const body = (await response.json().catch(() => ({}))) as RpcAnswer<T> & { error?: { code?: string } };
  if (response.ok) return body;
  const message = body.error?.message ?? `The gateway answered with status ${response.status}.`;
  return { error: { message, data: { code: String(body.error?.code ?? 'internal') } } };
}

/** Runs one statement that reads. */
export function runSql(sql: string, maxRows = 1000, signal?: AbortSignal): Promise<QueryRows> {
  return call<QueryRows>('query.sql', { sql, max_rows: maxRows }, signal);
}

/** Runs a named query of a job. The answer has the statement as well. */
export function runQuery(
  name: string,
  job: string,
  parameters: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<QueryRows & { sql: string }> {
  return call('query.run', { name, job_id: job, parameters, max_rows: 1000 }, signal);
}

/** The rows as objects by the names of their columns. */
export function records(result: QueryRows): Record<string, unknown>[] {
  return result.rows.map((row) => Object.fromEntries(result.columns.map(({ name }, i) => [name, row[i]])));
}

/** A text as SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
