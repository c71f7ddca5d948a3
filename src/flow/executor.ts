import { IN_WORDS } from '../algo/schema/issue-words.ts';
import { Activity, type ActivityLabel } from '../clock/activity.ts';
import type { Clock } from '../clock/clock.ts';
import { TimeLimit } from '../clock/time-limit.ts';
import { MillraceError } from '../errors.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { Action } from './action.ts';
import type { FlowDefinition } from './define.ts';
import { describe, flowCrash, FlowFailure, isPromise, isToolError } from './failure.ts';
import { isRetryLater } from './retry-later.ts';
import { splitUsage, usageProblem, type Usage } from './usage.ts';

/** Time limit of a tool call in a flow that sets none. */
const DEFAULT_TOOL_TIMEOUT_MS = 10_000;

/** What came of a tool call that the policy answers for. */
export interface Execution {
  /** What the executor filled in; undefined when filling them in was the error. */
  input: unknown;
  result?: unknown;
  /** The ToolError's message. */
  error?: string;
  /** What the call said it used. */
  usage?: Usage;
  /** The policy wrote arguments that do not satisfy the tool's schema. */
  badArguments?: true;
  /** The error came before the tool was called. */
  notCalled?: true;
}

/** What a call needs besides the tool. */
export interface ExecuteOptions {
  clock: Clock;
  /** Ends the whole flow, e.g. when the worker stops. */
  signal?: AbortSignal | undefined;
  /** Whose call it is. Default: nobody asks. */
  label?: Omit<ActivityLabel, 'part'> | undefined;
  /** Told of each call that takes too long, whatever becomes of it. */
  onTimeout?: ((tool: string) => void) | undefined;
}

/**
 * Runs one tool: arguments from memory and pointers, or as the policy wrote them, checked against the tool's schema, then the tool
 * within its time limit.
 * A ToolError and an input that does not fit are data. A tool that takes too long is TOOL_TIMEOUT (or data, by its `onTimeout`), one that throws anything
 * else TOOL_CRASH; `arguments` that throws is FLOW_CRASH. A RetryLater is thrown on as it is. The limit is about the tool: time in which other code held the event
 * loop is given back, and a tool that holds it itself for longer is TOOL_TIMEOUT too, once it lets go (nothing can interrupt it).
 */
export function execute<M>(
  flow: Pick<FlowDefinition<any, M>, 'tools' | 'toolTimeoutMs'>,
  action: Action,
  memory: M,
  options: ExecuteOptions,
): Execution | Promise<Execution> {
  const name = action.tool;
  const tool = flow.tools[name]!;
  const input = inputOf(flow, action, memory);
  if ('error' in input) return input;

  const limitMs = tool.timeoutMs ?? flow.toolTimeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS;
  const stop = new AbortController();
  const activity = new Activity(options.clock, options.label && { ...options.label, part: `tool '${name}'` });
  const limit = new TimeLimit(limitMs, { clock: options.clock, activity });
  let result: unknown;
  try {
    result = activity.run((): unknown => tool.run(input.value, memory, stop.signal), !synchronous.has(tool));
  } catch (thrown) {
    return failed(name, input.value, thrown);
  }
  if (isPromise(result)) {
    synchronous.delete(tool);
    return finish({ name, tool, input: input.value }, result, { limit, stop, ...options });
  }
  synchronous.add(tool);
  if (limit.isOverrun) return late({ name, tool, input: input.value }, limitMs, options);
  return succeeded(name, input.value, result);
}

/** What a tool is given, or what came of it where the call was wrong before it was made. FLOW_CRASH as in {@link execute}. */
export function inputOf<M>(
  { tools }: Pick<FlowDefinition<any, M>, 'tools'>,
  action: Action,
  memory: M,
): { value: unknown } | (Execution & { error: string }) {
  const { tool: name, written } = action;
  const tool = tools[name]!;
  const filled = written === undefined ? fillIn(tool, action, memory) : { value: written.arguments };
  if ('error' in filled) return { input: undefined, error: filled.error, notCalled: true };
  const input = checkInput(tool.input, { name, raw: filled.value, written: written !== undefined });
  if ('value' in input) return input;
  return { input: filled.value, error: input.error, notCalled: true, ...(written !== undefined && { badArguments: true }) };
}

/** The arguments as the tool fills them in. */
function fillIn<M>(tool: AnyTool, { tool: name, items }: Action, memory: M): Checked {
  let raw: unknown;
  try {
    raw = tool.arguments(memory, ...items);
  } catch (thrown) {
    if (isToolError(thrown)) return { error: thrown.message };
    if (isRetryLater(thrown)) throw thrown;
    throw flowCrash(`tools.${name}.arguments`, describe(thrown), thrown);
  }
  if (isPromise(raw)) throw flowCrash(`tools.${name}.arguments`, 'returned a promise; only `run` may be asynchronous');
  return { value: raw };
}

/** Tools whose last call was synchronous: nothing of them runs later, so nothing has to be tracked. */
const synchronous = new WeakSet<object>();

type AnyTool = FlowDefinition<any, any>['tools'][string];

/** A call whose input is checked. */
interface Call {
  name: string;
  tool: AnyTool;
  input: unknown;
}

async function finish(
  call: Call,
  work: Promise<unknown>,
  { limit, stop, ...options }: ExecuteOptions & { limit: TimeLimit; stop: AbortController },
): Promise<Execution> {
  const { name, input } = call;
  const { signal } = options;
  const ended = await limit.of(work, signal);
  if (ended === 'cancelled') {
    stop.abort(signal?.reason);
    throw new MillraceError('cancelled', `the flow was stopped while tool '${name}' ran`, { cause: signal?.reason });
  }
  if (ended === 'late') {
    stop.abort(new MillraceError('deadline_exceeded', lateMessage(name, limit.limitMs)));
    return late(call, limit.limitMs, options);
  }
  return 'thrown' in ended ? failed(name, input, ended.thrown) : succeeded(name, input, ended.result);
}

/** A call that took too long: data, or a failure of the whole flow, as the tool says. */
function late({ name, tool, input }: Call, limitMs: number, options: ExecuteOptions): Execution {
  options.onTimeout?.(name);
  const message = lateMessage(name, limitMs);
  if (tool.onTimeout === 'error') return { input, error: message };
  throw new FlowFailure(FailureClass.TOOL_TIMEOUT, message);
}

function lateMessage(name: string, limitMs: number): string {
  return `tool '${name}' did not answer within ${limitMs} ms`;
}

function failed(name: string, input: unknown, thrown: unknown): Execution {
  if (isRetryLater(thrown)) throw thrown;
  if (isToolError(thrown)) return { input, error: thrown.message, ...used(name, thrown.usage) };
  throw new FlowFailure(FailureClass.TOOL_CRASH, `tools.${name}.run: ${describe(thrown)}`, thrown);
}

function succeeded(name: string, input: unknown, returned: unknown): Execution {
  const { result, usage } = splitUsage(returned);
  return usage === undefined ? { input, result } : { input, result, ...used(name, usage) };
}

function used(name: string, usage: unknown): { usage?: Usage } {
  if (usage === undefined) return {};
  const problem = usageProblem(usage);
  if (problem !== undefined) throw new FlowFailure(FailureClass.TOOL_CRASH, `tools.${name}.run: ${problem}`);
  return { usage: usage as Usage };
}

type Checked = { value: unknown } | { error: string };

function checkInput(schema: AnyTool['input'], { name, raw, written }: { name: string; raw: unknown; written: boolean }): Checked {
  let parsed;
  try {
    parsed = schema.safeParse(raw, IN_WORDS);
  } catch (thrown) {
    // A recursive schema takes as much of the stack as the value is deep.
    if (written && thrown instanceof RangeError) return { error: 'the arguments are nested too deeply' };
    throw flowCrash(`tools.${name}.input`, describe(thrown), thrown);
  }
  if (parsed.success) return { value: parsed.data };
  return {
    error: parsed.error.issues
      .map((issue) => (issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ${issue.message}` : issue.message))
      .join('; '),
  };
}
