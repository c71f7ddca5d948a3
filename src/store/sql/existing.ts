import { ALLOWED_ENGINES } from './allowed-sources.ts';
import type { AskRows } from './engine-names.ts';
import { withoutEnd } from './guard.ts';
import { judgeWrite } from './judge-write.ts';
import type { SqlJudge } from './judge.ts';
import { sqlTokens } from './lexer.ts';
import { ownTables } from './write-rules.ts';

/** Tables and views that are there and could not be made today, as `database.table`, and why not. */
export type Distrusted = ReadonlyMap<string, string>;

/**
 * Looks at the definitions of what people made in this store, perhaps when less was refused: a view hides what it calls from whoever reads
 * it. Costs one question where there is nothing.
 */
export async function findDistrusted(judge: SqlJudge, ask: AskRows): Promise<Distrusted> {
  const rows = await ask(
    `SELECT base64Encode(database), base64Encode(name), engine, base64Encode(create_table_query) FROM system.tables
    WHERE lower(database) NOT IN ('system', 'information_schema')`,
  );
  const found = new Map<string, string>();
  // Again while there is more: a view may read another one that is not to be read.
  for (let before = -1; before < found.size;) {
    before = found.size;
    judge.distrust(found);
    for (const [database64 = '', name64 = '', engine = '', definition64 = ''] of rows) {
      const [database, name, definition] = [decoded(database64), decoded(name64), decoded(definition64)];
      if (found.has(`${database}.${name}`) || (database === judge.database && ownTables().has(name))) continue;
      const reason = ALLOWED_ENGINES.has(engine)
        ? await refusedDefinition(judge, definition, database)
        : `ENGINE ${engine} may keep rows outside the store`;
      if (reason !== undefined) found.set(`${database}.${name}`, reason);
    }
  }
  return found;
}

/** What the engine writes into the definition of a view that refreshes itself; it has no other user. */
const OWN_DEFINER = ' DEFINER = default SQL SECURITY DEFINER AS ';

async function refusedDefinition(judge: SqlJudge, written: string, database: string): Promise<string | undefined> {
  const definition = written.replace(OWN_DEFINER, ' AS ');
  try {
    const tokens = withoutEnd(sqlTokens(definition));
    return (await judgeWrite(judge, definition, tokens, { database })).refused?.message;
  } catch (error) {
    return `its definition cannot be read (${(error as Error).message.slice(0, 200)})`;
  }
}

const decoded = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
