import { DEFAULT_OWNER, OWNER_PATTERN, PRIORITY } from '../../src/config/owner.ts';
import { MillraceError } from '../../src/errors.ts';
import { wholeNumber } from './whole-number.ts';

/** Options of commands that create a job. */
export interface OwnerFlags {
  owner?: string;
  priority?: string;
}

/** Help of `--owner`. */
export const OWNER = 'who the job belongs to: 1 to 64 of a-z, 0-9, ".", "_", "@" and "-" (default: MILLRACE_OWNER, or local)';

/** Help of `--priority`. */
export const PRIORITY_HELP = `${PRIORITY.min} to ${PRIORITY.max}: waiting jobs with a higher one run first (default: 0)`;

/** Who the user says to be: MILLRACE_OWNER, or the owner of jobs that nobody claims. Advisory, until credentials have names. */
function ownName(env: NodeJS.ProcessEnv): string {
  return checkedOwner(env['MILLRACE_OWNER'] || DEFAULT_OWNER, 'MILLRACE_OWNER');
}

/** Whose jobs a list is to show; undefined: everybody's. `invalid_argument` for both options, and for what is no name. */
export function listedOwner({ owner, mine }: { owner?: string; mine?: boolean }, env: NodeJS.ProcessEnv): string | undefined {
  if (mine !== true) return owner === undefined ? undefined : checkedOwner(owner, '--owner');
  if (owner !== undefined) throw new MillraceError('invalid_argument', 'Give --owner or --mine, not both.', { field: '--mine' });
  return ownName(env);
}

function checkedOwner(name: string, field: string): string {
  if (OWNER_PATTERN.test(name)) return name;
  const message = `${field}: got "${name.slice(0, 80)}", expected 1 to 64 of a-z, 0-9, ".", "_", "@" and "-".`;
  throw new MillraceError('invalid_argument', message, { field });
}

/** `--owner` and `--priority` as the admin API takes them. */
export function ownerFields({ owner, priority }: OwnerFlags, env: NodeJS.ProcessEnv): { owner: string; priority: number } {
  return {
    // Empty: the server's default.
    owner: owner ?? (env['MILLRACE_OWNER'] ? ownName(env) : ''),
    priority: priority === undefined ? 0 : wholeNumber(priority, '--priority', PRIORITY.min, PRIORITY.max),
  };
}
