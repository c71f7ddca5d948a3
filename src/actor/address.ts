import { MillraceError } from '../errors.ts';

const PART = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** `<node>/<role>/<name>`; `invalid_argument` when a part is empty or has other characters than letters, digits and `_.-`. */
export function formatAddress(node: string, role: string, name: string): string {
  for (const [field, part] of Object.entries({ node, role, name })) {
    if (!PART.test(part)) {
      throw new MillraceError('invalid_argument', `"${part}" is no ${field} of an address: use letters, digits and _.-`, {
        field,
      });
    }
  }
  return `${node}/${role}/${name}`;
}
