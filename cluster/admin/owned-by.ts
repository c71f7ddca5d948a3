import type { Caller } from '../../src/access/authenticator.ts';
import { grants } from '../../src/access/scopes.ts';
import { MillraceError } from '../../src/errors.ts';

/**
 * A request whose maker owns what it makes. The owner of a named credential is who it says; only scope `admin` may name another one. Whoever has a token
 * of a file names whom they like. `permission_denied` with the field.
 */
export function ownedBy<R extends { owner: string }>(caller: Caller | undefined, request: R): R {
  if (caller?.owner === undefined || request.owner === caller.owner) return request;
  if (request.owner === '') return { ...request, owner: caller.owner };
  if (grants(caller.scopes, 'admin')) return request;
  const message = `owner: got ${JSON.stringify(request.owner.slice(0, 80))}; credential ${caller.name} makes things for ${caller.owner} alone.`;
  throw new MillraceError('permission_denied', message, { field: 'owner' });
}
