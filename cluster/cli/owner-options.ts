import { PRIORITY } from '../../src/jobs/record.ts';
import { wholeNumber } from './whole-number.ts';

/** Options of commands that create a job. */
export interface OwnerFlags {
  owner?: string;
  priority?: string;
}

/** Help of `--owner`. */
export const OWNER = 'who the job belongs to: 1 to 64 of a-z, 0-9, ".", "_", "@" and "-" (default: local)';

/** Help of `--priority`. */
export const PRIORITY_HELP = `${PRIORITY.min} to ${PRIORITY.max}: waiting jobs with a higher one run first (default: 0)`;

/** `--owner` and `--priority` as the admin API takes them. */
export function ownerFields({ owner = '', priority }: OwnerFlags): { owner: string; priority: number } {
  return { owner, priority: priority === undefined ? 0 : wholeNumber(priority, '--priority', PRIORITY.min, PRIORITY.max) };
}
