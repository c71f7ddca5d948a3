import { MillraceError } from '../errors.ts';

/**
 * What a credential may let its holder do. `admin` grants all of them, `read` also `metrics`; the others grant themselves alone, so that who
 * is to start jobs and look at them has `train` and `read`.
 */
export const SCOPES = ['admin', 'train', 'serve', 'read', 'metrics'] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** Whether these scopes let somebody do what takes `needed`. */
export function grants(scopes: readonly Scope[], needed: Scope): boolean {
  return scopes.includes('admin') || scopes.includes(needed) || (needed === 'metrics' && scopes.includes('read'));
}

/** The scopes that texts name, in the order of {@link SCOPES}. `invalid_argument` for others, with the allowed values, and for none. */
export function scopesNamed(names: readonly string[], field: string): Scope[] {
  const expected = `expected some of ${SCOPES.join(', ')}`;
  const unknown = names.find((name) => !(SCOPES as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new MillraceError('invalid_argument', `${field}: got ${JSON.stringify(unknown.slice(0, 40))}, ${expected}.`, { field });
  if (names.length === 0) throw new MillraceError('invalid_argument', `${field}: got none, ${expected}.`, { field });
  return SCOPES.filter((scope) => names.includes(scope));
}
