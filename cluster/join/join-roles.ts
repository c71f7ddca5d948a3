import { MillraceError } from '../../src/errors.ts';
import { ROLE_NAMES, type RoleName } from '../../src/protocol/roles.ts';

/** What a host can join as: a role of nodes, or `admin`, for people. */
export const JOIN_ROLES = [...ROLE_NAMES, 'admin'] as const satisfies readonly (RoleName | 'admin')[];

/** One of {@link JOIN_ROLES}. */
export type JoinRole = (typeof JOIN_ROLES)[number];

/** The roles that texts name. `invalid_argument` with the allowed values for others, none, and one that is named twice. */
export function joinRoles(names: readonly string[], field: string): JoinRole[] {
  const expected = `expected some of ${JOIN_ROLES.join(', ')}`;
  const wrong = (what: string): MillraceError =>
    new MillraceError('invalid_argument', `${field}: ${what}, ${expected}.`, { field });
  if (names.length === 0) throw wrong('got none');
  for (const [at, name] of names.entries()) {
    if (!(JOIN_ROLES as readonly string[]).includes(name)) throw wrong(`got ${JSON.stringify(name.slice(0, 40))}`);
    if (names.indexOf(name) !== at) throw wrong(`${name} is named twice`);
  }
  return names as JoinRole[];
}
