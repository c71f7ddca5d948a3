import { nextTurn } from '../../clock/turn.ts';

/**
 * What `EXPLAIN QUERY TREE run_passes = 0` shows of a SELECT: the engine's own parse of it, with values of parameters put in and before
 * anything is looked up or computed. Every part of a SELECT is in it; `EXPLAIN AST` leaves out the functions of APPLY.
 */
export interface QueryTree {
  /** Functions that are called, in any position. */
  functions: readonly string[];
  tableFunctions: readonly TableFunction[];
  /** Names of columns, tables and aliases, as `database.table.column`. */
  identifiers: readonly Identifier[];
  /** Lambdas that have a name: they are called by it. */
  lambdas: ReadonlySet<string>;
  /** SETTINGS clauses as printed; the last one behind brackets is not among them. */
  settings: readonly string[];
}

/** A table function, and the text of its first argument where that is a constant or a name. */
export interface TableFunction {
  name: string;
  firstArgument: string | undefined;
}

/** A name, and the function that has it as an argument. */
export interface Identifier {
  name: string;
  argumentOf: string | undefined;
}

/** A line is a node; its depth is its indentation. */
const NODE = /^( *)([A-Z][A-Z_ ]*) id: (\d+)(.*)$/s;

/**
 * What stands behind `label`, up to `end` or the end of the line. An alias comes before everything else in a line and may hold anything,
 * so the last place counts.
 */
function after(line: string, label: string, end: string): string | undefined {
  const at = line.lastIndexOf(label);
  if (at < 0) return undefined;
  const to = line.indexOf(end, at + label.length);
  return line.slice(at + label.length, to < 0 ? line.length : to);
}

const functionName = (rest: string): string => after(rest, ', function_name: ', ', function_type: ') ?? rest;
const tableFunctionName = (rest: string): string => after(rest, ', table_function_name: ', ', final: ') ?? rest;
const identifierName = (rest: string): string => after(rest, ', identifier: ', ', final: ') ?? rest;
/** Quotes within a text are escaped in the tree, so that no text can pretend to end. */
const constantText = (rest: string): string | undefined => after(rest, ", constant_value: '", "', constant_value_type: String");
const lambdaName = (rest: string): string | undefined => /^, alias: (\w+)$/.exec(rest)?.[1];

/** How far below a node its arguments are: ARGUMENTS, LIST, and the argument. */
const ARGUMENT_INDENT = 6;
/** Lines that are read in one go, so that other requests get their turn. */
const LINES_A_SLICE = 1_000;

/**
 * Reads the printed tree, a slice at a time. Undefined when it is no such tree: nodes are numbered in the order in which they are
 * printed, so a text of the statement that was made to look like nodes does not pass as some.
 */
export async function readQueryTree(printed: string): Promise<QueryTree | undefined> {
  const functions: string[] = [];
  const tableFunctions: TableFunction[] = [];
  const identifiers: Identifier[] = [];
  const lambdas = new Set<string>();
  const settings: string[] = [];
  /** Calls that are open, by indentation. */
  const calls: { indent: number; name: string; table?: TableFunction; seen?: boolean }[] = [];
  let [lines, nodes] = [0, 0];
  for (const line of linesOf(printed)) {
    if ((lines += 1) % LINES_A_SLICE === 0) await nextTurn();
    const [, spaces, kind, id, rest] = NODE.exec(line) ?? [];
    if (spaces === undefined || rest === undefined) {
      if (/^ *SETTINGS /.test(line)) settings.push(line.trimStart());
      continue;
    }
    if (Number(id) !== nodes) return undefined;
    nodes += 1;
    const indent = spaces.length;
    while (calls.length > 0 && calls.at(-1)!.indent >= indent) calls.pop();
    const call = calls.findLast((open) => open.indent === indent - ARGUMENT_INDENT);
    if (call?.table && !call.seen) {
      call.seen = true;
      call.table.firstArgument =
        kind === 'CONSTANT' ? constantText(rest) : kind === 'IDENTIFIER' ? identifierName(rest) : undefined;
    }
    if (kind === 'FUNCTION') {
      const name = functionName(rest);
      functions.push(name);
      calls.push({ indent, name });
    } else if (kind === 'TABLE_FUNCTION') {
      const table: TableFunction = { name: tableFunctionName(rest), firstArgument: undefined };
      tableFunctions.push(table);
      calls.push({ indent, name: table.name, table });
    } else if (kind === 'IDENTIFIER') {
      identifiers.push({ name: identifierName(rest), argumentOf: call?.name });
    } else if (kind === 'LAMBDA') {
      const name = lambdaName(rest);
      if (name !== undefined) lambdas.add(name);
    }
  }
  return { functions, tableFunctions, identifiers, lambdas, settings };
}

/** The lines of a text, one after another, so that a large one is not held twice. */
export function* linesOf(text: string): Generator<string, void, undefined> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    yield text.slice(from, to);
    from = to + 1;
  }
}
