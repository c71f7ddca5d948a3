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
}

/** Prints what went wrong, where, and what to do; with MILLRACE_DEBUG=1 also the stack. */
export function reportError(error: MillraceError, stderr: CliOutput, { env, logs }: ErrorSetting): void {
  const lines = [`error: ${error.message}`];
  if (error.field !== undefined && !error.message.includes(error.field)) lines.push(`where: ${error.field}`);
  const help = helpFor(error, logs);
  if (help !== undefined) lines.push(`help:  ${help}`);
  else if (error.code === 'internal')
    lines.push('help:  this may be a fault of millrace; run again with MILLRACE_DEBUG=1 and report it');
  if (env['MILLRACE_DEBUG'] === '1') lines.push(...stackOf(error));
  stderr.write(`${lines.join('\n')}\n`);
}

function helpFor(error: MillraceError, logs: string | undefined): string | undefined {
  if (error instanceof ClusterStarting) return 'try again in a moment';
  if (logs !== undefined && error.code === 'unavailable') return `the logs in ${logs} say more`;
  return WHAT_TO_DO[error.code];
}

function stackOf(error: unknown): string[] {
  const lines: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause)
    lines.push(`${lines.length > 0 ? 'caused by ' : ''}${at.stack ?? at.message}`);
  return lines;
}
