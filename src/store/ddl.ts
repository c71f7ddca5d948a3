import { literal } from './engine.ts';
import { isSymbol } from './sql/guard.ts';
import { sqlTokens } from './sql/lexer.ts';
import type { Token } from './sql/lexer.ts';

/** How a server keeps tables: what statements that make or change them have to say beyond what migrations say. */
export interface DdlVariant {
  /** Name of the cluster on all of whose hosts the statement is to run (`ON CLUSTER`). Default: this host alone. */
  cluster?: string | undefined;
  /** Tables of the MergeTree family become replicated ones. Default: true with a cluster, false without. */
  replicated?: boolean | undefined;
  /** Where Keeper keeps a replicated table. Default {@link REPLICA_PATH}. */
  replicaPath?: string | undefined;
  /** Name of a host's replica. Default `{replica}`. */
  replicaName?: string | undefined;
}

/**
 * The servers' own default. By the table's id, which ON CLUSTER makes the same everywhere, and not by its name: migrations
 * make `steps_anew` and exchange it for `steps`, more than once, and a path of that name would still be in use.
 */
const REPLICA_PATH = '/clickhouse/tables/{uuid}/{shard}';

/** Words between the verb and the name of what it is about. */
const BEFORE_NAME = new Set(
  'or replace temporary table view materialized database function if not exists from sync final'.split(' '),
);

/** Where `ON CLUSTER` comes right behind the name; RENAME and EXCHANGE have it at the end. */
const NAME_FIRST = new Set(['create', 'alter', 'drop', 'truncate', 'optimize', 'delete', 'undrop']);
const AT_END = new Set(['rename', 'exchange']);

/**
 * A statement of a migration as a server of this variant wants it. Statements that make or change nothing but rows (INSERT,
 * SELECT) stay as they are, and so does every statement without a variant. Throws `invalid_argument` where the statement
 * cannot be read.
 */
export function ddlFor(statement: string, variant: DdlVariant): string {
  const { cluster, replicated = cluster !== undefined } = variant;
  if (cluster === undefined && !replicated) return statement;
  const tokens = sqlTokens(statement);
  const verb = word(tokens[0]);
  if (!NAME_FIRST.has(verb) && !AT_END.has(verb)) return statement;
  const edits: Edit[] = [];
  if (cluster !== undefined && !tokens.some((token, at) => word(token) === 'on' && word(tokens[at + 1]) === 'cluster')) {
    const at = AT_END.has(verb) ? tokens.at(-1)!.end : endOfName(tokens);
    edits.push({ start: at, end: at, text: ` ON CLUSTER ${literal(cluster)}` });
  }
  if (replicated) edits.push(...replicas(tokens, variant));
  return edits
    .sort((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), statement);
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

/** The end of `name`, `database.name` or a quoted one, behind the verb and the words that go with it. */
function endOfName(tokens: readonly Token[]): number {
  let at = 1;
  while (BEFORE_NAME.has(word(tokens[at]))) at += 1;
  while (isSymbol(tokens[at + 1], '.')) at += 2;
  return (tokens[at] ?? tokens.at(-1)!).end;
}

function replicas(tokens: readonly Token[], { replicaPath = REPLICA_PATH, replicaName = '{replica}' }: DdlVariant): Edit[] {
  const place = `${literal(replicaPath)}, ${literal(replicaName)}`;
  return tokens.flatMap((token, at): Edit[] => {
    // The window in which a block that comes again is known, for tables of either kind.
    if (word(token) === 'non_replicated_deduplication_window') {
      return [{ start: token.start, end: token.end, text: 'replicated_deduplication_window' }];
    }
    const before = isSymbol(tokens[at - 1], '=') ? tokens[at - 2] : tokens[at - 1];
    if (word(before) !== 'engine' || token.kind !== 'word' || !/^(?!Replicated|Shared)\w*MergeTree$/.test(token.text)) return [];
    const [open, first] = [tokens[at + 1], tokens[at + 2]];
    if (!isSymbol(open, '(')) return [{ start: token.start, end: token.end, text: `Replicated${token.text}(${place})` }];
    const comma = isSymbol(first, ')') ? '' : ', ';
    return [{ start: token.start, end: open!.end, text: `Replicated${token.text}(${place}${comma}` }];
  });
}

const word = (token: Token | undefined): string => (token?.kind === 'word' ? token.text.toLowerCase() : '');
