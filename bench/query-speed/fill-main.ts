/** Process that fills a folder with made rows; see rows.ts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedEngine } from '../../src/store/embedded.ts';
import { migrateUp } from '../../src/store/migrate.ts';
import { serveOrders } from '../load/worker.ts';
import { JOB, MEAN_STEPS, roundStatements, trajectoryStatements } from './rows.ts';

/** What to make, and where. */
export interface FillOrder {
  folder: string;
  /** Steps to make, about. */
  steps: number;
}

/** How far it is. */
export interface FillEvent {
  trajectories: number;
  total: number;
}

/** What the folder holds. */
export interface FillResult {
  steps: number;
  trajectories: number;
  /** Parts of both tables that queries read. */
  parts: number;
  /** Of table `steps` on disk, by row. */
  bytesPerStep: number;
  /** Zero when the rows were there. */
  seconds: number;
}

const MEMORY_BYTES = 6 * 1024 ** 3;
/** Trajectories that one statement makes. */
const AT_ONCE = 50_000;
/** Merges still running after this long are left to run. */
const MERGE_TIMEOUT_MS = 120_000;

serveOrders<FillOrder, FillResult, FillEvent>(async ({ folder, steps }, emit) => {
  const began = performance.now();
  const engine = await EmbeddedEngine.open(folder, MEMORY_BYTES);
  try {
    await migrateUp((sql) => engine.run(sql));
    const total = Math.max(1, Math.round(steps / MEAN_STEPS));
    const present = await number(engine, `SELECT count() FROM trajectories WHERE job = '${JOB}'`);
    if (present !== total) {
      if (present > 0) for (const table of ['steps', 'trajectories']) await engine.run(`TRUNCATE TABLE ${table}`);
      const known = await columnsOf(engine);
      for (const statement of roundStatements(total, known)) await engine.run(statement);
      for (let first = 0; first < total; first += AT_ONCE) {
        const share = { first, count: Math.min(AT_ONCE, total - first), total };
        for (const statement of trajectoryStatements(share, known)) await engine.run(statement);
        emit({ trajectories: first + share.count, total });
      }
      await merged(engine);
    }
    const active = `FROM system.parts WHERE active AND database = currentDatabase() AND table IN ('steps', 'trajectories')`;
    return {
      steps: await number(engine, `SELECT count() FROM steps WHERE job = '${JOB}'`),
      trajectories: await number(engine, `SELECT count() FROM trajectories WHERE job = '${JOB}'`),
      parts: await number(engine, `SELECT count() ${active}`),
      bytesPerStep: await number(engine, `SELECT sum(bytes_on_disk) / sum(rows) ${active} AND table = 'steps'`),
      seconds: present === total ? 0 : (performance.now() - began) / 1000,
    };
  } finally {
    await engine.close();
  }
});

async function number(engine: EmbeddedEngine, sql: string): Promise<number> {
  return Number((await engine.run(`${sql} FORMAT TabSeparated`)).trim());
}

async function columnsOf(engine: EmbeddedEngine): Promise<(table: string) => ReadonlySet<string>> {
  const printed = await engine.run(
    `SELECT table, name FROM system.columns WHERE database = currentDatabase() AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') FORMAT TabSeparated`,
  );
  const pairs = printed
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('\t'));
  return (table) => new Set(pairs.filter(([of]) => of === table).map(([, name]) => name!));
}

/** Waits until the engine has merged what it wants to merge. */
async function merged(engine: EmbeddedEngine): Promise<void> {
  const deadline = performance.now() + MERGE_TIMEOUT_MS;
  for (let quiet = 0; quiet < 5 && performance.now() < deadline;) {
    quiet = (await number(engine, 'SELECT count() FROM system.merges')) === 0 ? quiet + 1 : 0;
    await sleep(200);
  }
}
