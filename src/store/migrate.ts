import { readFileSync, readdirSync } from 'node:fs';
import { MillraceError } from '../errors.ts';
import { clickHouseError } from './clickhouse-error.ts';
import { splitStatements } from './sql/lexer.ts';

/** One numbered step of the schema: NNNN_name.up.sql and NNNN_name.down.sql in src/store/migrations. */
export interface Migration {
  version: number;
  name: string;
  up: readonly string[];
  down: readonly string[];
}

/** Runs one statement and returns what it prints. */
export type Run = (sql: string) => Promise<string>;

const FOLDER = new URL('./migrations/', import.meta.url);

const CREATE_LEDGER = `CREATE TABLE IF NOT EXISTS schema_migrations
(version UInt32, name String, applied Bool, changed_at DateTime64(6, 'UTC') DEFAULT now64(6))
ENGINE = ReplacingMergeTree(changed_at) ORDER BY version`;

/** The migrations of this build, oldest first. Throws `internal` when a number is missing or a file has no twin. */
export function loadMigrations(folder: URL = FOLDER): Migration[] {
  const files = readdirSync(folder)
    .filter((file) => file.endsWith('.up.sql'))
    .sort();
  const statements = (file: string): string[] => splitStatements(readFileSync(new URL(file, folder), 'utf8'));
  return files.map((file, index) => {
    const parts = /^(\d{4})_([a-z0-9_]+)\.up\.sql$/.exec(file);
    if (!parts || Number(parts[1]) !== index + 1) {
      throw new MillraceError('internal', `migration ${file} should be number ${String(index + 1).padStart(4, '0')}`);
    }
    return {
      version: index + 1,
      name: parts[2]!,
      up: statements(file),
      down: statements(file.replace('.up.sql', '.down.sql')),
    };
  });
}

/** Applies what is missing, in order; returns the versions applied. Every statement may be repeated after a crash. */
export async function migrateUp(run: Run, migrations: readonly Migration[] = loadMigrations()): Promise<number[]> {
  const applied = await appliedVersions(run);
  const newest = Math.max(0, ...applied);
  if (newest > migrations.length) {
    throw new MillraceError(
      'failed_precondition',
      `the store's schema is version ${newest}, this build knows ${migrations.length}; upgrade Millrace or use another folder`,
    );
  }
  const done: number[] = [];
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue;
    await step(run, migration, migration.up, true);
    done.push(migration.version);
  }
  return done;
}

/** Takes back every version above `target`, newest first; returns the versions taken back. */
export async function migrateDown(
  run: Run,
  target: number,
  migrations: readonly Migration[] = loadMigrations(),
): Promise<number[]> {
  const applied = await appliedVersions(run);
  const done: number[] = [];
  for (const migration of [...migrations].reverse()) {
    if (migration.version <= target || !applied.has(migration.version)) continue;
    await step(run, migration, migration.down, false);
    done.push(migration.version);
  }
  return done;
}

async function appliedVersions(run: Run): Promise<Set<number>> {
  try {
    await run(CREATE_LEDGER);
    const printed = await run('SELECT version FROM schema_migrations FINAL WHERE applied ORDER BY version FORMAT TabSeparated');
    return new Set(printed.split('\n').filter(Boolean).map(Number));
  } catch (error) {
    throw clickHouseError(error, 'migrate');
  }
}

async function step(run: Run, migration: Migration, statements: readonly string[], applied: boolean): Promise<void> {
  const { version, name } = migration;
  try {
    for (const statement of statements) await run(statement);
    await run(`INSERT INTO schema_migrations (version, name, applied) VALUES (${version}, '${name}', ${applied})`);
  } catch (error) {
    const cause = clickHouseError(error, 'migrate');
    throw new MillraceError(cause.code, `migration ${version} (${name}): ${cause.message}`, {
      cause,
      retryable: cause.retryable,
    });
  }
}
