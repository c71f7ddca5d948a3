import type { Run } from './migrate.ts';

/** How long rows are kept, in hours since they came into the store; what is left out is kept for ever. */
export interface Retention {
  /** Rows of table `steps`. */
  steps?: number | undefined;
  /** Rows of table `trajectories`. */
  trajectories?: number | undefined;
  /** The long texts of both (arguments, result, states, texts of conversations, answer, failure_message): they become empty, the rows stay. */
  text?: number | undefined;
  /** Ids and log-probabilities of the tokens of steps: they become empty, the rows and texts stay. */
  tokens?: number | undefined;
}

/** Columns that become empty, by table and by what empties them. */
const EMPTIED = {
  steps: {
    text: ['arguments', 'result', 'state_before', 'state_after', 'text', 'messages', 'further_calls'],
    tokens: ['prompt', 'tokens', 'token_log_probabilities'],
  },
  trajectories: { text: ['failure_message', 'answer'], tokens: [] },
} as const;

/**
 * By the time of arrival: every row has it, and it does not depend on other machines' clocks. A row that comes again lives from
 * then on.
 */
const expression = (hours: number): string => `toDateTime(ingested_at) + toIntervalHour(${hours})`;

/**
 * Brings the tables' TTLs to what is wanted. Statements are run only where something differs: each makes the engine look through
 * the table. Returns those that were run.
 */
export async function applyRetention(run: Run, retention: Retention): Promise<string[]> {
  const done: string[] = [];
  const change = async (statement: string): Promise<void> => {
    await run(statement);
    done.push(statement);
  };
  for (const table of ['steps', 'trajectories'] as const) {
    const created = await definition(run, table);
    const rows = retention[table];
    if (rowsTtl(created) !== ttl(rows))
      await change(
        rows === undefined ? `ALTER TABLE ${table} REMOVE TTL` : `ALTER TABLE ${table} MODIFY TTL ${expression(rows)}`,
      );
    for (const what of ['text', 'tokens'] as const) {
      const hours = retention[what];
      for (const column of EMPTIED[table][what])
        if (columnTtl(created, column) !== ttl(hours))
          await change(
            `ALTER TABLE ${table} MODIFY COLUMN ${column} ${hours === undefined ? 'REMOVE TTL' : `TTL ${expression(hours)}`}`,
          );
    }
  }
  return done;
}

const ttl = (hours: number | undefined): string => (hours === undefined ? '' : expression(hours));

/** The statement that would make the table as it is now, in the engine's own spelling. */
async function definition(run: Run, table: string): Promise<string> {
  return run(
    `SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = '${table}' FORMAT TabSeparatedRaw`,
  );
}

/** TTL of the rows: what follows ORDER BY. */
function rowsTtl(created: string): string {
  const engine = created.slice(created.lastIndexOf(' ENGINE = '));
  return / TTL (.*?)(?: SETTINGS |\s*$)/s.exec(engine)?.[1] ?? '';
}

/** Other columns, an index at least, come after each of these: what stands before the next comma is the column's alone. */
function columnTtl(created: string, column: string): string {
  const columns = created.slice(0, created.lastIndexOf(' ENGINE = ')).split(/, (?=`|INDEX |CONSTRAINT |PROJECTION )/);
  const own = columns.find((text) => text.replace(/^.*\(`/s, '`').startsWith(`\`${column}\` `));
  return / TTL (.*)$/s.exec(own ?? '')?.[1] ?? '';
}
