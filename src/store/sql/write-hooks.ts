import { isWord } from './guard.ts';
import type { Refusal } from './guard.ts';
import type { Token } from './lexer.ts';
import { outside } from './refusals.ts';
import type { SyntaxTree } from './syntax-tree.ts';
import { ownTables } from './write-rules.ts';
import { nameAt } from './write-target.ts';
import type { Intent } from './write-target.ts';

/** Where names are looked up. */
interface Scope {
  /** The store's database. */
  store: string;
  /** The database of names without one. */
  current: string;
  /** Values of `{name:Identifier}`. */
  parameters: Readonly<Record<string, string>>;
}

/**
 * Indices on Millrace's own tables: of these kinds, over columns as they are. An expression that throws or sleeps, a filter of 256 MiB
 * or a vector of another length would fail every insert.
 */
const INDEX_FUNCTIONS: ReadonlySet<string> = new Set(['minmax', 'set', 'bloom_filter', 'tuple']);

/**
 * The refusal of what the engine would run with every insert into Millrace's own tables, and what would write there without an INSERT:
 * a statement that succeeds now must not make the inserts of a job fail later. `head` is the statement up to its SELECT.
 */
export function refusedHook(tree: SyntaxTree, head: readonly Token[], intent: Intent, scope: Scope): Refusal | undefined {
  const isOwn = (database: string | undefined, table: string | undefined): boolean =>
    (database ?? scope.current) === scope.store && table !== undefined && ownTables().has(table);
  if (intent.kind === 'CREATE MATERIALIZED VIEW') return refusedMaterializedView(tree, head, isOwn, scope);
  if (!intent.targets.some(({ database, table }) => isOwn(database, table))) return undefined;
  const addsIndex = tree.root === 'CreateIndexQuery' || tree.nodes.some(({ name }) => name === 'ADD_INDEX');
  const bad = addsIndex ? tree.nodes.find(({ kind, name }) => kind === 'Function' && !INDEX_FUNCTIONS.has(name)) : undefined;
  if (bad) {
    return outside(
      `${bad.name} in an index of ${intent.targets[0]?.table}: it would be computed with every insert. Index plain columns, with TYPE minmax, set or bloom_filter`,
    );
  }
  const removes = head.find((token) => isWord(token, 'deduplicate') || isWord(token, 'cleanup'));
  if (tree.root === 'OptimizeQuery' && removes)
    return outside(`OPTIMIZE ... ${removes.text.toUpperCase()} removes rows of Millrace's own`);
  return undefined;
}

function refusedMaterializedView(
  { nodes }: SyntaxTree,
  head: readonly Token[],
  isOwn: (database: string | undefined, table: string | undefined) => boolean,
  { parameters }: Scope,
): Refusal | undefined {
  for (const [index, token] of head.entries()) {
    const parts = isWord(token, 'to') ? nameAt(head, index + 1, parameters)?.parts : undefined;
    if (parts && isOwn(parts.length > 1 ? parts[0] : undefined, parts.at(-1)))
      return outside(`a materialized view may not write into ${parts.join('.')}, which is one of Millrace's own`);
  }
  const refreshes = head.some(
    (token, index) => isWord(token, 'refresh') && (isWord(head[index + 1], 'every') || isWord(head[index + 1], 'after')),
  );
  if (refreshes) return undefined;
  const watched = nodes.find(({ isTable, name }) => {
    const at = name.lastIndexOf('.');
    return isTable && isOwn(at < 0 ? undefined : name.slice(0, at), name.slice(at + 1));
  });
  if (!watched) return undefined;
  return outside(
    `a materialized view over ${watched.name} runs with every insert of Millrace, which fails when it does. Let it read on its own: CREATE MATERIALIZED VIEW ... REFRESH EVERY 1 MINUTE ...`,
  );
}
