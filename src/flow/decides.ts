import { MillraceError } from '../errors.ts';
import type { PolicyKind } from '../policy/kind.ts';
import type { FlowDefinition } from './define.ts';

/**
 * Refuses a flow whose policy can have no influence: with one tool that points to nothing, all that `plan` can open is the same call.
 * A policy that writes its calls decides about their arguments all the same. Throws `invalid_argument`.
 */
export function checkDecides(
  { name, tools }: Pick<FlowDefinition<any, any>, 'name' | 'tools'>,
  { decides }: Pick<PolicyKind, 'decides'> = {},
): void {
  if (decides === 'generated') return;
  const [only, ...others] = Object.entries(tools);
  if (only === undefined || others.length > 0 || (only[1].pointers ?? 0) > 0) return;
  throw new MillraceError(
    'invalid_argument',
    `Flow '${name}' has one tool, '${only[0]}', without pointers: there is nothing to decide, so nothing to learn. Add a tool, or pointers to items.`,
    { field: 'flow' },
  );
}
