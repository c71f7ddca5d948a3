import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEmbeddedStore } from '../embedded.ts';
import type { Store } from '../store.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import type { Kind } from './columns.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-columns-'));
let store: Store;
beforeAll(async () => {
  store = await openEmbeddedStore({ path: folder });
  await store.migrate();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a column of this type is in JSON. A type that is not here needs a kind, and code that reads and writes it. */
const KIND_OF: Readonly<Record<string, Kind>> = {
  String: 'text',
  'LowCardinality(String)': 'text',
  Bool: 'bool',
  UInt16: 'uint16',
  UInt32: 'uint32',
  UInt64: 'uint64',
  Float32: 'float',
  Float64: 'double',
  "DateTime64(6, 'UTC')": 'time',
  'Array(UInt16)': 'integers',
  'Array(UInt32)': 'tokens',
  'Nullable(Float32)': 'maybe-float',
  'Array(Float32)': 'vector',
  'Array(LowCardinality(String))': 'texts',
  'Array(String)': 'texts',
  'Map(LowCardinality(String), Float32)': 'floats',
};

it.each([
  ['trajectories', TRAJECTORY_COLUMNS],
  ['steps', STEP_COLUMNS],
] as const)(
  'every column of %s has the kind of its type, so that exports and imports say what it holds',
  async (table, columns) => {
    const { rows } = await store.query(
      `SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '${table}'`,
    );
    const types = new Map(rows.map(([name, type]) => [String(name), String(type)]));
    const kinds = (of: (name: string, kind: Kind) => string): Record<string, string> =>
      Object.fromEntries(columns.map(({ name, kind }) => [name, of(name, kind)]));
    const kindOf = (name: string): string => KIND_OF[types.get(name) ?? ''] ?? `no kind for ${types.get(name)}`;
    // Only vectors travel as base64.
    const plain = ['other_probabilities', 'token_log_probabilities'];
    const ofType = (name: string): string => (plain.includes(name) ? 'numbers' : kindOf(name));
    expect(kinds((_, kind) => kind)).toEqual(kinds(ofType));
  },
);
