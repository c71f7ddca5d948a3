import { nextTurn } from '../../clock/turn.ts';
import { linesOf } from './query-tree.ts';

/**
 * What `EXPLAIN AST` shows of a statement that is no SELECT. It leaves out the functions of APPLY, the values of VALUES and settings.
 */
export interface SyntaxTree {
  /** `CreateQuery`, `AlterQuery`, `InsertQuery` and so on. */
  root: string;
  nodes: readonly SyntaxNode[];
}

/** A node that names something. */
export interface SyntaxNode {
  kind: 'Function' | 'Identifier' | 'AlterCommand';
  name: string;
  /** The function that has it as an argument. */
  argumentOf: string | undefined;
  /** An identifier that stands where a table does. */
  isTable: boolean;
  /** Within the SELECT of an INSERT or CREATE. */
  inSelect: boolean;
}

const LINES_A_SLICE = 1_000;
const KINDS: readonly (readonly [string, SyntaxNode['kind']])[] = [
  ['FunctionWithKeyValueArguments ', 'Function'],
  ['Function ', 'Function'],
  ['TableIdentifier ', 'Identifier'],
  ['Identifier ', 'Identifier'],
  ['AlterCommand ', 'AlterCommand'],
];

/** Reads the printed tree, a slice at a time. */
export async function readSyntaxTree(printed: string): Promise<SyntaxTree & { hasSelect: boolean }> {
  const nodes: SyntaxNode[] = [];
  const calls: { indent: number; name: string }[] = [];
  let [root, inSelect, hasSelect, lines] = ['', false, false, 0];
  for (const line of linesOf(printed)) {
    if ((lines += 1) % LINES_A_SLICE === 0) await nextTurn();
    const indent = line.length - line.trimStart().length;
    const text = line.slice(indent).replace(/ \(children \d{1,9}\)$/, '');
    if (indent === 0) root ||= /^[A-Za-z]+/.exec(text)?.[0] ?? '';
    if (indent <= 1) inSelect = text === 'SelectWithUnionQuery';
    hasSelect ||= inSelect;
    while (calls.length > 0 && calls.at(-1)!.indent >= indent) calls.pop();
    const [prefix, kind] = KINDS.find(([start]) => text.startsWith(start)) ?? [];
    if (prefix === undefined || kind === undefined) continue;
    const named = text.slice(prefix.length).trim();
    const alias = named.indexOf(' (alias ');
    const name = alias < 0 ? named : named.slice(0, alias);
    const argumentOf = calls.findLast((call) => call.indent === indent - 2)?.name;
    nodes.push({ kind, name, argumentOf, isTable: prefix === 'TableIdentifier ', inSelect });
    if (kind === 'Function') calls.push({ indent, name });
  }
  return { root, nodes, hasSelect };
}
