import { MillraceError } from '../errors.ts';
import type { PolicyKind } from '../policy/kind.ts';
import type { FlowDefinition } from './define.ts';

/**
 * Refuses a conversation whose policy does not write, and a flow whose policy can have no influence: with one tool that points to nothing, all that `plan` can open is the same call.
 * A policy that writes its calls decides about their arguments all the same. Throws `invalid_argument`.
 */
export function checkDecides(
  { name, tools, calls }: Pick<FlowDefinition<any, any>, 'name' | 'tools' | 'calls'>,
  { decides }: Pick<PolicyKind, 'decides'> = {},
): void {
  if (decides === 'generated') return;
  if (calls === 'any')
    throw new MillraceError(
      'invalid_argument',
      `Flow '${name}' is an agent, whose policy writes its messages; the policy kind of the job chooses among open actions. Set policy.kind to one that writes.`,
      { field: 'policy.kind' },
    );
  const [only, ...others] = Object.entries(tools);
  if (only === undefined || others.length > 0 || (only[1].pointers ?? 0) > 0) return;
  throw new MillraceError(
    'invalid_argument',
    `Flow '${name}' has one tool, '${only[0]}', without pointers: there is nothing to decide, so nothing to learn. Add a tool, or pointers to items.`,
    { field: 'flow' },
  );
}
