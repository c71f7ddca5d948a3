import { ALLOWED_ENGINES, DEFINITION_WORDS } from './allowed-sources.ts';
import { judgeFunction } from './engine-names.ts';
import type { EngineNames } from './engine-names.ts';
import { isSymbol, isWord } from './guard.ts';
import type { Refusal } from './guard.ts';
import { refusedCall, refusedName, refusedParameter, refusedTable, usedParameters } from './judge.ts';
import type { StatementScope, SqlJudge } from './judge.ts';
import type { Token } from './lexer.ts';
import { outermost } from './read-forms.ts';
import { notAllowed, outside, unknownFunction } from './refusals.ts';
import { readSyntaxTree } from './syntax-tree.ts';
import type { SyntaxNode, SyntaxTree } from './syntax-tree.ts';
import { refusedHook } from './write-hooks.ts';
import { refusedTarget, WRITING_QUERIES } from './write-rules.ts';
import { hasKnownHead, intentOf } from './write-target.ts';
import type { Intent } from './write-target.ts';

/** What is to be thought of a statement that writes. */
export interface WriteVerdict {
  intent: Intent;
  refused: Refusal | undefined;
}

const PARSE_ONLY = 'EXPLAIN AST';

/**
 * Judges a statement that writes, without semicolons at its end: what it calls, by the same lists as SELECTs; what it makes, by the list
 * of engines; what it changes, by write-rules.ts. Settings in it are the caller's to check. Rejects with the engine's error where that cannot
 * parse it.
 */
export async function judgeWrite(
  judge: SqlJudge,
  sql: string,
  tokens: readonly Token[],
  given: StatementScope = {},
): Promise<WriteVerdict> {
  const scope = { ...given, parameters: usedParameters(tokens, given) };
  const intent = intentOf(tokens, scope.parameters);
  const parts = partsOf(sql, tokens);
  const names = await judge.names();
  const byText = refusedParameter(tokens, scope) ?? refusedText(tokens, parts) ?? refusedCall(calls(tokens), names);
  if (byText) return { intent, refused: byText };
  const tree = await readSyntaxTree(await judge.explain(PARSE_ONLY, parts.statement, scope));
  const current = scope.database ?? judge.database;
  const refused =
    refusedTree(tree, names, { hasSelect: parts.select !== undefined, current }) ??
    refusedIntent(tree, tokens, intent, { store: judge.database, current }) ??
    refusedHook(tree, tokens.slice(0, parts.selectAt), intent, { store: judge.database, current, parameters: scope.parameters });
  if (refused) return { intent, refused };
  for (const select of [parts.select, parts.values]) {
    const found = select === undefined ? undefined : await judge.select(select, { ...scope, settingsChecked: true });
    if (found) return { intent, refused: found };
  }
  return { intent, refused: undefined };
}

interface Parts {
  /** What `EXPLAIN AST` is asked about: all but the rows of VALUES. */
  statement: string;
  /** The SELECT whose rows are inserted, or that a view or a table is made of; and where it begins. */
  select: string | undefined;
  selectAt: number;
  /** The expressions of VALUES as a SELECT; undefined where they are all literals. */
  values: string | undefined;
}

function partsOf(sql: string, tokens: readonly Token[]): Parts {
  const whole: Parts = { statement: sql, select: undefined, selectAt: tokens.length, values: undefined };
  if (!isWord(tokens[0], 'insert') && !isWord(tokens[0], 'create')) return whole;
  const values = isWord(tokens[0], 'insert') ? outermost(tokens, (token) => isWord(token, 'values')) : -1;
  if (values > 0) {
    const rows = tokens.slice(values + 1);
    const literal = rows.every(
      (token) => token.kind === 'string' || token.kind === 'number' || /^[()[\]{},+-]$/.test(token.text) || isConstant(token),
    );
    const statement = `${sql.slice(0, tokens[values]!.end)} (1)`;
    return { ...whole, statement, values: literal ? undefined : rowsAsSelect(sql, rows) };
  }
  const at = selectAt(tokens, isWord(tokens[0], 'create'));
  return at < 0 ? whole : { ...whole, select: sql.slice(tokens[at]!.start), selectAt: at };
}

const isConstant = (token: Token): boolean => token.kind === 'word' && /^(?:null|true|false|default|nan|inf)$/i.test(token.text);

/** Commas between rows may be left out. */
function rowsAsSelect(sql: string, rows: readonly Token[]): string {
  const texts: string[] = [];
  let [depth, from] = [0, 0];
  for (const token of rows) {
    if (isSymbol(token, '(') && (depth += 1) === 1) from = token.start;
    if (isSymbol(token, ')') && (depth -= 1) === 0) texts.push(sql.slice(from, token.end));
  }
  return `SELECT ${texts.join(', ')}`;
}

/** Where the SELECT begins; -1 when there is none. */
function selectAt(tokens: readonly Token[], afterAs: boolean): number {
  const isStart = (at: number): boolean => {
    let index = at;
    while (isSymbol(tokens[index], '(')) index += 1;
    return isWord(tokens[index], 'select') || isWord(tokens[index], 'with');
  };
  if (!afterAs) {
    const at = outermost(tokens, (token) => isWord(token, 'select') || isWord(token, 'with'));
    if (at > 0) return at;
    // INSERT INTO t (SELECT 1): the last brackets of the outermost.
    let depth = 0;
    for (const [index, token] of tokens.entries()) {
      if (isSymbol(token, '(') && (depth += 1) === 1 && isStart(index)) return index;
      if (isSymbol(token, ')')) depth -= 1;
    }
    return -1;
  }
  for (let at = 0; ;) {
    const as = outermost(tokens, (token) => isWord(token, 'as'), at);
    if (as < 0) return -1;
    if (isStart(as + 1)) return as + 1;
    at = as + 1;
  }
}

/** What the engine's tree does not show, or shows in many ways. */
function refusedText(tokens: readonly Token[], { selectAt: end }: Parts): Refusal | undefined {
  if (!hasKnownHead(tokens)) {
    const head = tokens
      .slice(0, 3)
      .map((token) => token.text.slice(0, 20).toUpperCase())
      .join(' ');
    return outside(`${head} is granted to nobody on this port`);
  }
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    if (isWord(token, 'outfile') || isWord(token, 'infile')) return outside(`${token.text} reads or writes files`);
    if (isWord(token, 'disk') && isSymbol(next, '(')) return outside('disk() puts rows outside the store');
    if (index >= end) continue;
    if (isWord(token, 'apply') && !isWord(next, 'deleted') && !isWord(next, 'patches'))
      return outside('APPLY has its place in SELECT');
    if (isWord(token, 'columns') && isSymbol(next, '(')) return outside('COLUMNS() has its place in SELECT');
    if (isWord(token, 'detach') || isWord(token, 'definer'))
      return outside(`${token.text.toUpperCase()} is granted to nobody here`);
    if (isWord(token, 'function') && index < 4) return outside('INSERT goes into tables of this store only');
    const before = isSymbol(tokens[index - 1], '=') ? tokens[index - 2] : tokens[index - 1];
    const ofEngine = isWord(before, 'engine') && (token.kind === 'word' || token.kind === 'quoted');
    if (ofEngine && !ALLOWED_ENGINES.has(token.text)) return outside(`ENGINE ${token.text} may keep rows outside the store`);
  }
  return undefined;
}

/** Without names of engines and of kinds of indices: some are names of functions as well. */
const calls = (tokens: readonly Token[]): Token[] =>
  tokens.filter((token) => !ALLOWED_ENGINES.has(token.text) && !DEFINITION_WORDS.has(token.text));

function refusedTree(
  tree: SyntaxTree & { hasSelect: boolean },
  names: EngineNames,
  { hasSelect, current }: { hasSelect: boolean; current: string },
): Refusal | undefined {
  if (!WRITING_QUERIES.has(tree.root)) return outside(`${tree.root} is granted to nobody on this port`);
  if (tree.hasSelect && !hasSelect) return outside('its SELECT could not be found; begin it with SELECT or WITH');
  for (const node of tree.nodes) {
    // That part is judged by what shows more of it.
    if (node.inSelect) continue;
    const found = node.kind === 'Function' ? refusedFunction(node, names) : refusedIdentifier(node, names, current);
    if (found) return found;
  }
  return undefined;
}

function refusedFunction({ name }: SyntaxNode, names: EngineNames): Refusal | undefined {
  if (ALLOWED_ENGINES.has(name) || DEFINITION_WORDS.has(name)) return undefined;
  const verdict = judgeFunction(name, names);
  if (verdict === 'allowed') return undefined;
  return verdict === 'refused' ? outside(notAllowed(name)) : unknownFunction(name);
}

const refusedIdentifier = ({ kind, name, argumentOf }: SyntaxNode, names: EngineNames, current: string): Refusal | undefined =>
  kind === 'Identifier' ? (refusedName(name, argumentOf, names) ?? refusedTable(name, names, current)) : undefined;

const NAMES_ONLY = new Set(['DropQuery', 'TruncateQuery', 'Rename']);

function refusedIntent(
  tree: SyntaxTree,
  tokens: readonly Token[],
  intent: Intent,
  databases: { store: string; current: string },
): Refusal | undefined {
  if (NAMES_ONLY.has(tree.root)) {
    // The engine must have found the same names in it.
    const flat = (texts: readonly string[]): string =>
      texts
        .flatMap((text) => text.split('.'))
        .sort()
        .join('.');
    const ours = intent.targets.flatMap(({ database, table }) => [database, table].filter((part) => part !== undefined));
    const theirs = tree.nodes.filter(({ kind }) => kind === 'Identifier').map(({ name }) => name);
    if (flat(ours) !== flat(theirs)) return outside('what it is about could not be told; put names in backticks');
  }
  const alterations = tree.nodes.filter(({ kind }) => kind === 'AlterCommand').map(({ name }) => name);
  const replaces = isWord(tokens[0], 'create') && isWord(tokens[1], 'or');
  return refusedTarget({ root: tree.root, alterations, intent, replaces }, databases);
}
