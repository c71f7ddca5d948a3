import { createWriteStream, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MillraceError } from '../../src/errors.ts';
import { clickHouseError } from '../../src/store/clickhouse-error.ts';
import { openEmbeddedStore, type EmbeddedEngine } from '../../src/store/embedded.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from '../../src/store/export/columns.ts';
import { exportLines } from '../../src/store/export/export.ts';

/** Files of `millrace export --format parquet`. */
export interface ParquetFiles {
  trajectories: string;
  /** Of the same export with --steps. */
  steps?: string | undefined;
}

/**
 * Reads Parquet with an engine of its own, whose folder is thrown away, and gives `use` the path of the same as JSON lines.
 * `invalid_argument` when a column is missing or holds something else.
 */
export async function withParquetLines<T>(
  files: ParquetFiles,
  signal: AbortSignal,
  use: (path: string) => Promise<T>,
): Promise<T> {
  for (const path of [files.trajectories, files.steps])
    if (path !== undefined && !existsSync(path)) throw new MillraceError('not_found', `There is no file ${path}.`);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-'));
  try {
    const lines = join(folder, 'lines.jsonl');
    const store = await openEmbeddedStore({ path: join(folder, 'engine') });
    try {
      await store.migrate();
      await load(store.engine, folder, 'trajectories', files.trajectories);
      if (files.steps !== undefined) await load(store.engine, folder, 'steps', files.steps);
      const chunks = exportLines(store, { format: 'jsonl', steps: false, filter: {}, signal });
      const data = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) if (chunk.data.length > 0) yield chunk.data;
      };
      await pipeline(Readable.from(data()), createWriteStream(lines));
    } finally {
      await store.close();
    }
    return await use(lines);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function load(engine: EmbeddedEngine, folder: string, table: 'trajectories' | 'steps', path: string): Promise<void> {
  // Under a name of ours: in the file's own, brackets and stars would mean other files.
  const link = join(folder, `${table}.parquet`);
  symlinkSync(path, link);
  const columns = (table === 'steps' ? STEP_COLUMNS : TRAJECTORY_COLUMNS).map(({ name }) => name).join(', ');
  try {
    await engine.run(`INSERT INTO ${table} (${columns}) SELECT ${columns} FROM file('${link}', Parquet)`);
  } catch (thrown) {
    const { message } = clickHouseError(thrown, 'query');
    throw new MillraceError(
      'invalid_argument',
      `${path} is no Parquet file of ${table} as \`millrace export\` writes it: ${message}`,
      {
        cause: thrown,
      },
    );
  }
}
