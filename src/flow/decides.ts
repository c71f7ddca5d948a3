import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from './define.ts';

/**
 * Refuses a flow whose policy can have no influence: with one tool that points to nothing, all that `plan` can open is the same call.
 * Throws `invalid_argument`.
 */
export function checkDecides({ name, tools }: Pick<FlowDefinition<any, any>, 'name' | 'tools'>): void {
  const [only, ...others] = Object.entries(tools);
  if (only === undefined || others.length > 0 || (only[1].pointers ?? 0) > 0) return;
  throw new MillraceError(
    'invalid_argument',
    `Flow '${name}' has one tool, '${only[0]}', without pointers: there is nothing to decide, so nothing to learn. Add a tool, or pointers to items.`,
    { field: 'flow' },
  );
}
