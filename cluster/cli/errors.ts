import type { ErrorCode, MillraceError } from '../../src/errors.ts';
import type { CliOutput } from './context.ts';
import { ClusterStarting } from './endpoint.ts';

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** Wrong usage, or an argument that is not valid. */
  usage: 2,
  notFound: 3,
  /** The cluster cannot be reached or did not answer in time. */
  unavailable: 4,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** The exit code that an error ends the command with. */
export function exitCodeOf(error: MillraceError): number {
  switch (error.code) {
    case 'invalid_argument':
      return EXIT.usage;
    case 'not_found':
      return EXIT.notFound;
    case 'unavailable':
    case 'deadline_exceeded':
      return EXIT.unavailable;
    case 'cancelled':
      return EXIT.interrupted;
    default:
      return EXIT.failure;
  }
}

const WHAT_TO_DO: Partial<Record<ErrorCode, string>> = {
  unavailable: 'start a cluster with `millrace up`, or say where it is with --address host:port or --state folder',
  unauthenticated:
    'give --token-file or set MILLRACE_TOKEN; the token of a cluster is in credentials/admin.token of its state folder',
  deadline_exceeded: 'try again; `millrace node list` shows whether the nodes are alive',
  resource_exhausted: 'try again in a moment',
};

/** What {@link reportError} knows of the command. */
export interface ErrorSetting {
  env: NodeJS.ProcessEnv;
  /** Folder of the logs of the cluster that the command ran itself. */
  logs?: string | undefined;
  /** One line of JSON in place of text (`-o json`). */
  json?: boolean;
  /** Whether to say what helps where a command does not reach its cluster. Default true. */
  advice?: boolean;
  /** The stack, too, as with MILLRACE_DEBUG=1 (`--verbose`). */
  verbose?: boolean;
}

/**
 * Prints what went wrong, where, and what to do; with MILLRACE_DEBUG=1 also the stack. As JSON it is the last line of stderr,
 * `{"error": {"code", "reason", "message", "field", "help", "retryable", "exitCode", "stack"}}`, without what there is not.
 */
export function reportError(error: MillraceError, stderr: CliOutput, setting: ErrorSetting): void {
  const { code, reason, message, field, retryable } = error;
  const help = setting.advice === false ? undefined : helpFor(error, setting.logs);
  const stack = setting.verbose === true || setting.env['MILLRACE_DEBUG'] === '1' ? stackOf(error) : undefined;
  if (setting.json === true) {
    const exitCode = exitCodeOf(error);
    stderr.write(`${JSON.stringify({ error: { code, reason, message, field, help, retryable, exitCode, stack } })}\n`);
    return;
  }
  const lines = [`error: ${message}`];
  if (field !== undefined && !message.includes(field)) lines.push(`where: ${field}`);
  if (help !== undefined) lines.push(`help:  ${help}`);
  stderr.write(`${[...lines, ...(stack ?? [])].join('\n')}\n`);
}

function helpFor(error: MillraceError, logs: string | undefined): string | undefined {
  if (error.code === 'internal') return 'this may be a fault of millrace; run again with MILLRACE_DEBUG=1 and report it';
  if (error instanceof ClusterStarting) return 'try again in a moment';
  if (logs !== undefined && error.code === 'unavailable') return `the logs in ${logs} say more`;
  // Something else than the cluster or its admin token, which the message names.
  if ((error.code === 'unavailable' || error.code === 'unauthenticated') && error.field !== undefined) return undefined;
  return WHAT_TO_DO[error.code];
}

function stackOf(error: unknown): string[] {
  const lines: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause)
    lines.push(`${lines.length > 0 ? 'caused by ' : ''}${at.stack ?? at.message}`);
  return lines;
}
