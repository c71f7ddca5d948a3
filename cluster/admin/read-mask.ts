import { create, type DescField, type DescMessage, type Message, type MessageShape } from '@bufbuild/protobuf';
import type { FieldMask } from '@bufbuild/protobuf/wkt';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { MillraceError } from '../../src/errors.ts';

/** Most paths of a mask. */
const MOST_PATHS = 100;

/** Fields to keep by name; an empty map below one keeps all of it. */
type Kept = Map<string, Kept>;

/**
 * Reads a field mask: what it returns leaves only the fields of the mask in a message. No mask, one without paths and `*` keep all. Paths
 * lead through messages, `progress.round`, not into lists and maps. `invalid_argument` with field `read_mask` for a path that leads nowhere.
 */
export function readMask<Desc extends DescMessage>(
  schema: Desc,
  mask: FieldMask | undefined,
): (message: MessageShape<Desc>) => MessageShape<Desc> {
  const paths = mask?.paths ?? [];
  if (paths.length === 0 || paths.includes('*')) return (message) => message;
  if (paths.length > MOST_PATHS) throw wrong(`has ${paths.length} paths; the most is ${MOST_PATHS}.`);
  const kept: Kept = new Map();
  for (const path of paths) keep(schema, path, kept);
  return (message) => only(schema, message, kept) as MessageShape<Desc>;
}

function keep(schema: DescMessage, path: string, kept: Kept): void {
  let at: DescMessage | undefined = schema;
  let level = kept;
  let isWhole = false;
  for (const name of path.split('.')) {
    const field: DescField | undefined = at?.fields.find((one) => one.name === name);
    if (field === undefined) {
      const where = at === undefined ? 'which has no fields' : `there are ${at.fields.map((one) => one.name).join(', ')}`;
      throw wrong(`${JSON.stringify(path.slice(0, 80))}: ${JSON.stringify(name.slice(0, 40))} is no field here; ${where}.`);
    }
    const known = level.get(name);
    // All of it is kept already.
    isWhole ||= known?.size === 0;
    const next: Kept = known ?? new Map<string, Kept>();
    if (!isWhole) level.set(name, next);
    level = next;
    at = field.fieldKind === 'message' ? field.message : undefined;
  }
  if (!isWhole) level.clear();
}

function only(schema: DescMessage, message: Message, kept: Kept): Message {
  const from = reflect(schema, message);
  const to = reflect(schema, create(schema));
  for (const [name, below] of kept) {
    const field = schema.fields.find((one) => one.name === name)!;
    if (!from.isSet(field)) continue;
    if (below.size === 0 || field.fieldKind !== 'message') to.set(field, from.get(field));
    else to.set(field, reflect(field.message, only(field.message, (from.get(field) as ReflectMessage).message, below)));
  }
  return to.message;
}

function wrong(message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field: 'read_mask' });
}
