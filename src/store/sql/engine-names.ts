import { ALLOWED_FUNCTIONS } from './allowed-functions.ts';
import { ALLOWED_TABLE_FUNCTIONS } from './allowed-sources.ts';

/** What an engine calls things; asked once. */
export interface EngineNames {
  /** Its functions, and whether each is an aggregate function. */
  functions: ReadonlyMap<string, { aggregate: boolean }>;
  /** Names in lower case of functions that may be written in any case, with their proper names. */
  anyCase: ReadonlyMap<string, string>;
  /** Suffixes that make another aggregate function of one, the longest first. */
  combinators: readonly string[];
  tableFunctions: ReadonlySet<string>;
  /** Those that are not allowed, in lower case. */
  refusedTableFunctions: ReadonlySet<string>;
  systemTables: ReadonlySet<string>;
}

/** Runs a statement and gives its rows, each value as text. */
export type AskRows = (sql: string) => Promise<string[][]>;

/** Asks an engine. */
export async function readEngineNames(ask: AskRows): Promise<EngineNames> {
  const functions = await ask('SELECT name, is_aggregate, case_insensitive FROM system.functions');
  const combinators = await ask('SELECT name FROM system.aggregate_function_combinators');
  const tableFunctions = await ask('SELECT name FROM system.table_functions');
  const systemTables = await ask("SELECT name FROM system.tables WHERE database = 'system'");
  const names = (rows: string[][]): string[] => rows.map(([name]) => name!);
  return {
    functions: new Map(functions.map(([name, aggregate]) => [name!, { aggregate: aggregate === '1' }])),
    anyCase: new Map(functions.filter((row) => row[2] === '1').map(([name]) => [name!.toLowerCase(), name!])),
    combinators: names(combinators).sort((a, b) => b.length - a.length),
    tableFunctions: new Set(names(tableFunctions)),
    refusedTableFunctions: new Set(
      names(tableFunctions).flatMap((name) => (ALLOWED_TABLE_FUNCTIONS.has(name) ? [] : [name.toLowerCase()])),
    ),
    systemTables: new Set(names(systemTables)),
  };
}

/** `unknown`: the engine has no function of this name, so that calling it can only fail. */
export type Permission = 'allowed' | 'refused' | 'unknown';

/** No function has a name this long, with any combinators that make sense. */
const LONGEST_NAME = 256;

/** What is to be thought of a function. What the engine knows and the list of allowed functions does not is refused. */
export function judgeFunction(name: string, names: EngineNames): Permission {
  const known = names.functions.has(name) ? name : names.anyCase.get(name.toLowerCase());
  if (known !== undefined) return ALLOWED_FUNCTIONS.has(known) ? 'allowed' : 'refused';
  if (ALLOWED_FUNCTIONS.has(name)) return 'allowed';
  if (name.length > LONGEST_NAME) return 'unknown';
  for (const combinator of names.combinators) {
    if (!name.endsWith(combinator) || name.length === combinator.length) continue;
    const base = name.slice(0, -combinator.length);
    const verdict = judgeFunction(base, names);
    if (verdict === 'refused' || (verdict === 'allowed' && isAggregate(base, names))) return verdict;
  }
  return isRefusedTableFunction(name, names) ? 'refused' : 'unknown';
}

/** Whether a name is that of a table function which is not allowed; in any case of letters, for some engines take it. */
export const isRefusedTableFunction = (name: string, { refusedTableFunctions }: EngineNames): boolean =>
  !ALLOWED_TABLE_FUNCTIONS.has(name) && refusedTableFunctions.has(name.toLowerCase());

/** `sumIf` is one because `sum` is. */
function isAggregate(name: string, names: EngineNames): boolean {
  const known = names.functions.get(name) ?? names.functions.get(names.anyCase.get(name.toLowerCase()) ?? '');
  return known?.aggregate ?? true;
}
