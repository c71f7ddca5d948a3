import { MillraceError } from '../../src/errors.ts';
import { needsPerson } from '../infra/topology-start.ts';
import type { FromNode } from '../runtime/ipc.ts';
import { logTail } from './log-tail.ts';

/** Starts that fail before the node was ever up. */
const MAX_FIRST_STARTS = 3;
/** The same where a start failed because something did not answer in time: on a slow machine it may the next time. */
const MAX_SLOW_STARTS = 10;
/** Lines of the node's log that are shown when it cannot start. */
const LOG_LINES = 5;

/** What a node says when it cannot go on. */
export type NodeFailure = FromNode & { kind: 'error' };

/** How often a node that was never up is started; what is wrong with its settings stays wrong. */
export function mostStarts(failure: NodeFailure | undefined): number {
  if (failure && needsPerson(failure)) return 1;
  const code = failure?.code;
  return code === 'unavailable' || code === 'deadline_exceeded' ? MAX_SLOW_STARTS : MAX_FIRST_STARTS;
}

/** Of an uncaught error as Node prints it, the line that says what it is. */
export function essence(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const said = lines.find((line) => /^(\w*Error\b|Error \[)/.test(line)) ?? lines.filter((line) => line !== '').at(-1);
  return said ?? "no message; the supervisor's log and the node's own say more";
}

/** Why a node cannot start, with the end of its log. */
export function cannotStart(
  { id, logFile }: { id: string; logFile: string },
  { how, lastError, startedAt }: { how: string; lastError: string; startedAt: number },
): MillraceError {
  const why = `Node ${id} cannot start (${how}): ${essence(lastError)}`;
  return new MillraceError('unavailable', [why, ...endOfLog(logFile, startedAt)].join('\n'));
}

/** What the node's log says of a start. */
function endOfLog(path: string, since: number): string[] {
  const lines = logTail(path, LOG_LINES, since);
  return lines.length === 0 ? [`nothing was written to ${path}`] : [`the end of ${path}:`, ...lines.map((line) => `  ${line}`)];
}
