import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { FlowDefinition } from './define.ts';
import { describe, flowCrash, FlowFailure, isPromise, isToolError } from './failure.ts';
import { takeApart, usageProblem, type Usage } from './usage.ts';

/** Time limit of a tool call in a flow that sets none. */
export const DEFAULT_TOOL_TIMEOUT_MS = 10_000;

/** What came of a tool call that the policy answers for. */
export interface Execution {
  /** What the executor filled in; undefined when filling them in was the error. */
  input: unknown;
  result?: unknown;
  /** The ToolError's message. */
  error?: string;
  /** What the call said it used. */
  usage?: Usage;
}

/** What a call needs besides the tool. */
export interface ExecuteOptions {
  clock: Clock;
  /** Ends the whole flow, e.g. when the worker stops. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs one tool: arguments from memory and pointers, checked against the tool's schema, then the tool within its time limit.
 * A ToolError and an input that does not fit are data. A tool that takes too long is TOOL_TIMEOUT, one that throws anything
 * else TOOL_CRASH; `arguments` that throws is FLOW_CRASH. A synchronous tool cannot be interrupted, so only asynchronous
 * ones are timed.
 */
export function execute<M>(
  flow: Pick<FlowDefinition<any, M>, 'tools' | 'toolTimeoutMs'>,
  name: string,
  items: readonly number[],
  memory: M,
  options: ExecuteOptions,
): Execution | Promise<Execution> {
  const tool = flow.tools[name]!;
  let raw: unknown;
  try {
    raw = tool.arguments(memory, ...items);
  } catch (thrown) {
    if (isToolError(thrown)) return { input: undefined, error: thrown.message };
    throw flowCrash(`tools.${name}.arguments`, describe(thrown), thrown);
  }
  if (isPromise(raw)) throw flowCrash(`tools.${name}.arguments`, 'returned a promise; only `run` may be asynchronous');
  const input = checkInput(tool.input, name, raw);
  if ('error' in input) return { input: raw, error: input.error };

  const stop = new AbortController();
  let result: unknown;
  try {
    result = tool.run(input.value, memory, stop.signal);
  } catch (thrown) {
    return failed(name, input.value, thrown);
  }
  if (!isPromise(result)) return succeeded(name, input.value, result);
  const limit = tool.timeoutMs ?? flow.toolTimeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS;
  return finish(name, input.value, result, limit, stop, options);
}

async function finish(
  name: string,
  input: unknown,
  work: Promise<unknown>,
  limitMs: number,
  stop: AbortController,
  { clock, signal }: ExecuteOptions,
): Promise<Execution> {
  const timer = new AbortController();
  const cancelled = new Promise<'cancelled'>((resolve) => {
    signal?.addEventListener('abort', () => resolve('cancelled'), { once: true, signal: timer.signal });
    if (signal?.aborted) resolve('cancelled');
  });
  const late = clock.sleep(limitMs, timer.signal).then(
    () => 'late' as const,
    () => 'stopped' as const,
  );
  const done = work.then(
    (result) => ({ result }),
    (thrown: unknown) => ({ thrown }),
  );
  const first = await Promise.race([done, late, cancelled]);
  timer.abort();
  if (first === 'cancelled') {
    stop.abort(signal?.reason);
    throw new MillraceError('cancelled', `the flow was stopped while tool '${name}' ran`, { cause: signal?.reason });
  }
  if (typeof first === 'string') {
    const message = `tool '${name}' did not answer within ${limitMs} ms`;
    stop.abort(new MillraceError('deadline_exceeded', message));
    throw new FlowFailure(FailureClass.TOOL_TIMEOUT, message);
  }
  return 'thrown' in first ? failed(name, input, first.thrown) : succeeded(name, input, first.result);
}

function failed(name: string, input: unknown, thrown: unknown): Execution {
  if (isToolError(thrown)) return { input, error: thrown.message, ...used(name, thrown.usage) };
  throw new FlowFailure(FailureClass.TOOL_CRASH, `tools.${name}.run: ${describe(thrown)}`, thrown);
}

function succeeded(name: string, input: unknown, returned: unknown): Execution {
  const { result, usage } = takeApart(returned);
  return usage === undefined ? { input, result } : { input, result, ...used(name, usage) };
}

function used(name: string, usage: unknown): { usage?: Usage } {
  if (usage === undefined) return {};
  const problem = usageProblem(usage);
  if (problem !== undefined) throw new FlowFailure(FailureClass.TOOL_CRASH, `tools.${name}.run: ${problem}`);
  return { usage: usage as Usage };
}

type Checked = { value: unknown } | { error: string };

function checkInput(schema: FlowDefinition<any, any>['tools'][string]['input'], name: string, raw: unknown): Checked {
  let parsed;
  try {
    parsed = schema.safeParse(raw);
  } catch (thrown) {
    throw flowCrash(`tools.${name}.input`, describe(thrown), thrown);
  }
  if (parsed.success) return { value: parsed.data };
  return {
    error: parsed.error.issues
      .map((issue) => (issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ${issue.message}` : issue.message))
      .join('; '),
  };
}
