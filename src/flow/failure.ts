import { join } from 'node:path';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { FROM_SOURCES, PACKAGE_FOLDER } from '../installation.ts';
import { HandBack, isRetryLater, retryOf } from './retry-later.ts';

/** Ends a flow without a reward. Thrown between the stages of a flow and caught in run.ts; it never leaves this folder. */
export class FlowFailure extends Error {
  override readonly name = 'FlowFailure';
  readonly failure: FailureClass;

  constructor(failure: FailureClass, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}

/** Whether a tool threw it to say that the call was wrong. By name: a flow may have its own copy of the class. */
export function isToolError(thrown: unknown): thrown is Error & { usage?: unknown } {
  return thrown instanceof Error && thrown.name === 'ToolError';
}

/** Runs a part of the flow's own code; whatever it throws is a FLOW_CRASH that names the part, but for RetryLater. */
export function inFlow<R>(where: string, code: () => R): R {
  let result: R;
  try {
    result = code();
  } catch (thrown) {
    if (isRetryLater(thrown)) throw new HandBack(retryOf(thrown, where));
    throw flowCrash(where, describe(thrown), thrown);
  }
  if (isPromise(result)) {
    // Its rejection must not end the process.
    result.then(undefined, () => undefined);
    throw flowCrash(where, 'returned a promise; only tools and reward may be asynchronous');
  }
  return result;
}

/** The flow did something wrong at `where`. */
export function flowCrash(where: string, problem: string, cause?: unknown): FlowFailure {
  return new FlowFailure(FailureClass.FLOW_CRASH, `${where}: ${problem}`, cause);
}

/** Folders of the sources that the stacks of a build name. Run from them, a flow may be a test's, beside them. */
const OURS = FROM_SOURCES ? [] : ['src', 'cluster'].map((name) => join(PACKAGE_FOLDER, name, '/'));

/** What was thrown, in one line, with the place in the user's code when there is one. */
export function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `threw ${String(thrown)}`;
  const frames = thrown.stack?.split('\n').filter((line) => /^\s+at .*:\d+:\d+\)?$/.test(line));
  const frame = frames?.find((line) => !/\bnode:|\/node_modules\//.test(line) && !OURS.some((folder) => line.includes(folder)));
  const place = frame === undefined ? undefined : /([^/\\(\s]+:\d+):\d+\)?$/.exec(frame)?.[1];
  // What Millrace itself says of the code needs no name of a class before it.
  const name = thrown.name === 'MillraceError' ? '' : `${thrown.name}: `;
  return `${name}${thrown.message}${place === undefined ? '' : ` (${place})`}`;
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
