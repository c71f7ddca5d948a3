import type { EngineFacts } from './facts.ts';

/** From this revision on a block says what it is, and each column whether it is packed in a special way. */
const BLOCK_INFO = 51_903;
const CUSTOM_SERIALIZATION = 54_454;

/**
 * The answer to the first question of clickhouse-go, the driver in Grafana: `SELECT displayName(), version(), revision(),
 * timezone()`, as Native in the form of the revision it came with. It reads everything after that in the form of the revision
 * it is told, and the engine writes Native without any: so it is told 0. Undefined for other statements.
 */
export function nativeHello(statement: string, revision: number, facts: EngineFacts): Buffer | undefined {
  const asked = /^\s*SELECT\s+displayName\(\)\s*,\s*version\(\)\s*,\s*revision\(\)\s*,\s*timezone\(\)\s*;?\s*$/i.test(statement);
  if (!asked || revision < BLOCK_INFO) return undefined;
  const custom = revision >= CUSTOM_SERIALIZATION ? [Buffer.of(0)] : [];
  const column = (name: string, type: string, value: Buffer): Buffer[] => [text(name), text(type), ...custom, value];
  return Buffer.concat([
    // Field 1: no overflow; field 2: bucket -1; no more.
    Buffer.of(1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0),
    // Four columns, one row.
    Buffer.of(4, 1),
    ...column('displayName()', 'String', text(facts.displayName)),
    ...column('version()', 'String', text(facts.version)),
    ...column('revision()', 'UInt32', Buffer.alloc(4)),
    ...column('timezone()', 'String', text(facts.timezone)),
  ]);
}

/** Length and bytes; everything here is shorter than 128. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value).subarray(0, 127);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}
