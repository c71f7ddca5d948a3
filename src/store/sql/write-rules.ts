import { loadMigrations } from '../migrate.ts';
import { outside } from './refusals.ts';
import type { Refusal } from './guard.ts';
import { sqlTokens } from './lexer.ts';
import type { Intent, Target } from './write-target.ts';
import { intentOf } from './write-target.ts';

/** Statements that the writer may use, by the engine's names of them. */
export const WRITING_QUERIES: ReadonlySet<string> = new Set(
  `CreateQuery AlterQuery InsertQuery DropQuery TruncateQuery Rename OptimizeQuery DeleteQuery UpdateQuery CreateIndexQuery
  DropIndexQuery`.split(/\s+/),
);

/** What the writer may alter in tables of one's own. Partitions are neither attached, moved, copied nor frozen: those use files. */
const ALTERATIONS: ReadonlySet<string> = new Set(
  `ADD_COLUMN DROP_COLUMN MODIFY_COLUMN RENAME_COLUMN COMMENT_COLUMN MATERIALIZE_COLUMN MODIFY_ORDER_BY MODIFY_SAMPLE_BY
  REMOVE_SAMPLE_BY MODIFY_TTL REMOVE_TTL MATERIALIZE_TTL MODIFY_SETTING RESET_SETTING ADD_INDEX DROP_INDEX MATERIALIZE_INDEX
  ADD_PROJECTION DROP_PROJECTION MATERIALIZE_PROJECTION ADD_CONSTRAINT DROP_CONSTRAINT ADD_STATISTICS MODIFY_STATISTICS
  DROP_STATISTICS MATERIALIZE_STATISTICS DROP_PARTITION UPDATE DELETE MODIFY_COMMENT MODIFY_REFRESH APPLY_DELETED_MASK
  APPLY_PATCHES REWRITE_PARTS`.split(/\s+/),
);

/** What the writer may alter in Millrace's own tables: how fast they are read, and what people read about them. */
const ALTERATIONS_OF_OURS: ReadonlySet<string> = new Set(
  `ADD_INDEX DROP_INDEX MATERIALIZE_INDEX ADD_STATISTICS MODIFY_STATISTICS DROP_STATISTICS MATERIALIZE_STATISTICS COMMENT_COLUMN
  MODIFY_COMMENT`.split(/\s+/),
);

/** Whether what a migration wrote down is changed by migrations alone. */
const LEDGER = 'schema_migrations';

/** Databases of the engine. */
const OF_THE_ENGINE = /^(?:system|information_schema)$/i;

/** What a statement changes, for {@link refusedTarget}. */
export interface Change {
  /** The engine's name of the statement: `DropQuery`. */
  root: string;
  /** Of ALTER: `DROP_COLUMN` and so on. */
  alterations: readonly string[];
  intent: Intent;
  /** CREATE OR REPLACE. */
  replaces: boolean;
}

/**
 * The refusal of what would destroy Millrace's own database, tables or views: those are made and changed by migrations alone, and their
 * rows are added by inserts and removed by `millrace store prune`.
 */
export function refusedTarget(change: Change, databases: { store: string; current: string }): Refusal | undefined {
  const { root, alterations, intent, replaces } = change;
  const alteration = alterations.find((one) => !ALTERATIONS.has(one));
  if (alteration !== undefined) return outside(`ALTER ... ${alteration.replaceAll('_', ' ')} is granted to nobody on this port`);
  for (const target of intent.targets) {
    const database = target.database ?? databases.current;
    if (OF_THE_ENGINE.test(database)) return outside(`${nameOf(target)} belongs to the engine`);
    if (database !== databases.store) continue;
    if (target.table === undefined) {
      if (root === 'CreateQuery' && !replaces) continue;
      return outside(
        `${intent.kind} ${nameOf(target)}: it is Millrace's own database; millrace store prune removes jobs from it`,
      );
    }
    if (!ownTables().has(target.table) || mayChange(change, target)) continue;
    return outside(
      `${intent.kind} ${nameOf(target)}: it is one of Millrace's own, which take INSERT and indices only; millrace store prune removes jobs`,
    );
  }
  return undefined;
}

function mayChange({ root, alterations, replaces }: Change, { table }: Target): boolean {
  switch (root) {
    case 'InsertQuery':
      return table !== LEDGER;
    case 'CreateQuery':
      // Without OR REPLACE it fails where the name is taken, and changes nothing.
      return !replaces;
    case 'AlterQuery':
      return table !== LEDGER && alterations.every((one) => ALTERATIONS_OF_OURS.has(one));
    case 'OptimizeQuery':
    case 'CreateIndexQuery':
    case 'DropIndexQuery':
      return true;
    default:
      return false;
  }
}

let own: ReadonlySet<string> | undefined;

/** Every table and view that migrations make. */
export function ownTables(): ReadonlySet<string> {
  own ??= new Set([
    LEDGER,
    ...loadMigrations().flatMap(({ up }) =>
      up.flatMap((statement) => {
        const intent = intentOf(sqlTokens(statement));
        return /^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW)$/.test(intent.kind) ? [intent.targets[0]!.table!] : [];
      }),
    ),
  ]);
  return own;
}

/** `database.table` */
export const nameOf = ({ database, table }: Target): string => [database, table].filter((part) => part !== undefined).join('.');
