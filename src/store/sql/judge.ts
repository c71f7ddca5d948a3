import { TAKES_VALUES } from './allowed-functions.ts';
import { ALLOWED_SYSTEM_TABLES, ALLOWED_TABLE_FUNCTIONS } from './allowed-sources.ts';
import { isRefusedTableFunction, judgeFunction, readEngineNames } from './engine-names.ts';
import type { AskRows, EngineNames } from './engine-names.ts';
import { isSymbol, NO_SETTINGS } from './guard.ts';
import type { Refusal } from './guard.ts';
import { isPlainName } from './lexer.ts';
import type { Token } from './lexer.ts';
import { placeholdersOf } from './placeholders.ts';
import { readQueryTree } from './query-tree.ts';
import type { QueryTree } from './query-tree.ts';
import { selectsOf } from './read-forms.ts';
import { notAllowed, outside, unknownFunction } from './refusals.ts';

/** What a judge needs of an engine. */
export interface JudgeEngine {
  ask: AskRows;
  /** Runs one EXPLAIN that computes nothing, and gives what it prints. Values are texts in ClickHouse's escaped form. */
  explain(sql: string, parameters: Readonly<Record<string, string>>): Promise<string>;
  /** The database of the store. */
  database: string;
}

/** How a statement is going to run. */
export interface StatementScope {
  /** The database that names without one are in. Default: the store's. */
  database?: string | undefined;
  /** Values of {name:Type} placeholders, in ClickHouse's escaped form. */
  parameters?: Readonly<Record<string, string>> | undefined;
  /** The names of settings in it have been checked: it is part of a statement of the writer. Default: it may have none. */
  settingsChecked?: boolean;
}

/** The parse and nothing else: no name is looked up, nothing is computed. */
const PARSE_ONLY = 'EXPLAIN QUERY TREE run_passes = 0';

/** Statements that are remembered as harmless: a dashboard asks the same ones again and again. */
const REMEMBERED = 256;
/** Longer ones are not worth their memory. */
const REMEMBERED_LENGTH = 16 * 1024;

/**
 * Decides whether a statement of people may run, by the engine's own parse of it: every function, table function and table of `system` in
 * it must be on the list of those that are known to be harmless (allowed-functions.ts, allowed-sources.ts).
 */
export class SqlJudge {
  readonly #engine: JudgeEngine;
  readonly #harmless = new Set<string>();
  #names: Promise<EngineNames> | undefined;
  #distrusted: ReadonlyMap<string, string> = new Map();

  constructor(engine: JudgeEngine) {
    this.#engine = engine;
  }

  /** The database of the store. */
  get database(): string {
    return this.#engine.database;
  }

  /** From now on nobody reads these tables and views (`database.table`, and why); they can be dropped. */
  distrust(tables: ReadonlyMap<string, string>): void {
    this.#distrusted = tables;
    this.#harmless.clear();
  }

  /** What the engine calls things. */
  names(): Promise<EngineNames> {
    this.#names ??= readEngineNames((sql) => this.#engine.ask(sql)).catch((error: unknown) => {
      this.#names = undefined;
      throw error;
    });
    return this.#names;
  }

  /** Runs an EXPLAIN that computes nothing: `how` is what stands before the statement, in a line of its own. */
  async explain(how: string, sql: string, { parameters = {} }: StatementScope): Promise<string> {
    try {
      return await this.#engine.explain(`${how}\n${sql}`, parameters);
    } catch (error) {
      throw inStatement(error, how.length + 1);
    }
  }

  /**
   * Why a reading statement may not run; undefined when it may. `tokens` are those of `sql`, which is in the form that guard.ts checks.
   * Rejects with the engine's error where that cannot parse it.
   */
  async read(sql: string, tokens: readonly Token[], scope: StatementScope = {}): Promise<Refusal | undefined> {
    const used = usedParameters(tokens, scope);
    const key = JSON.stringify([sql, scope.database, used]);
    if (this.#harmless.delete(key)) {
      this.#harmless.add(key);
      return undefined;
    }
    const refused = await this.#read(sql, tokens, { ...scope, parameters: used });
    if (refused === undefined && key.length <= REMEMBERED_LENGTH) this.#remember(key);
    return refused;
  }

  async #read(sql: string, tokens: readonly Token[], scope: StatementScope): Promise<Refusal | undefined> {
    const refused = refusedParameter(tokens, scope) ?? refusedCall(tokens, await this.names());
    if (refused) return refused;
    const forms = selectsOf(sql, tokens);
    if (forms.refused) return forms.refused;
    for (const select of forms.selects) {
      const found = await this.select(select, scope);
      if (found) return found;
    }
    return undefined;
  }

  /** Why a SELECT may not run; `read` checks its form and its parameters first. */
  async select(sql: string, scope: StatementScope): Promise<Refusal | undefined> {
    const names = await this.names();
    const printed = await this.explain(PARSE_ONLY, sql, scope);
    const tree = await readQueryTree(printed);
    if (!tree) return { kind: 'outside', message: 'a text in the statement looks like a part of its syntax tree' };
    const withSql = /\badditional_(?:table_filters|result_filter)=/;
    if (tree.settings.some((clause) => !scope.settingsChecked || withSql.test(clause)))
      return { kind: 'clause', message: NO_SETTINGS };
    const current = scope.database ?? this.database;
    return judgeTree(tree, names, { store: this.database, current }) ?? this.#refusedView(tree, current);
  }

  #refusedView({ identifiers, tableFunctions }: QueryTree, current: string): Refusal | undefined {
    if (this.#distrusted.size === 0) return undefined;
    if (tableFunctions.some(({ name }) => name === 'merge')) {
      const [first, reason] = this.#distrusted.entries().next().value!;
      return outside(`merge() could read ${first}, which is not read: ${reason}. Drop it`);
    }
    for (const { name } of identifiers) {
      const found = [name, `${current}.${name}`].find((table) => this.#distrusted.has(table));
      if (found !== undefined) return outside(`${found} is not read: ${this.#distrusted.get(found)}. Drop it`);
    }
    return undefined;
  }

  #remember(key: string): void {
    this.#harmless.add(key);
    if (this.#harmless.size <= REMEMBERED) return;
    for (const oldest of this.#harmless) {
      this.#harmless.delete(oldest);
      break;
    }
  }
}

/** Values that the statement uses: others are not even set. */
export function usedParameters(tokens: readonly Token[], { parameters = {} }: StatementScope): Record<string, string> {
  const used = placeholdersOf(tokens).filter(({ name }) => Object.hasOwn(parameters, name));
  return Object.fromEntries(used.map(({ name }) => [name, parameters[name]!]));
}

/** The refusal of a name in a parameter that no name is written like. */
export function refusedParameter(tokens: readonly Token[], { parameters = {} }: StatementScope): Refusal | undefined {
  const bad = placeholdersOf(tokens).find(({ name, isIdentifier }) => {
    const value = parameters[name];
    return isIdentifier && value !== undefined && (!isPlainName(value) || value.includes('\\'));
  });
  return bad && outside(`the value of {${bad.name}:Identifier} is no name`);
}

/**
 * The refusal of a call that is written as one, before the engine has read it: a second look with another parser, which needs no tree.
 */
export function refusedCall(tokens: readonly Token[], names: EngineNames): Refusal | undefined {
  for (const [index, token] of tokens.entries()) {
    const named = token.kind === 'word' || token.kind === 'quoted';
    if (!named || !isSymbol(tokens[index + 1], '(')) continue;
    if (judgeFunction(token.text, names) === 'refused' || isRefusedTableFunction(token.text, names)) {
      return { ...outside(notAllowed(token.text)), token };
    }
  }
  return undefined;
}

/** Which databases names are in. */
interface Databases {
  store: string;
  current: string;
}

/** What is wrong with a SELECT. */
function judgeTree(tree: QueryTree, names: EngineNames, { store, current }: Databases): Refusal | undefined {
  // The same names come again and again.
  for (const name of new Set(tree.functions)) {
    const verdict = judgeFunction(name, names);
    if (verdict === 'refused') return outside(notAllowed(name));
    if (verdict === 'unknown' && !tree.lambdas.has(name)) return unknownFunction(name);
  }
  for (const { name, firstArgument } of tree.tableFunctions) {
    if (!ALLOWED_TABLE_FUNCTIONS.has(name))
      return names.tableFunctions.has(name) ? outside(notAllowed(name)) : unknownFunction(name);
    if (name === 'merge' && firstArgument !== store) return outside(MERGE);
  }
  const seen = new Set<string>();
  for (const { name, argumentOf } of tree.identifiers) {
    const key = `${name}\n${argumentOf}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const refused = refusedName(name, argumentOf, names) ?? refusedTable(name, names, current);
    if (refused) return refused;
  }
  return undefined;
}

/**
 * The refusal of a bare name where the engine may take it for a function's: `arrayMap(file, paths)`. With its table's name before it
 * (`t.file`) it is a column.
 */
export function refusedName(name: string, argumentOf: string | undefined, names: EngineNames): Refusal | undefined {
  if (argumentOf === undefined || TAKES_VALUES.has(argumentOf) || judgeFunction(name, names) !== 'refused') return undefined;
  return outside(`${notAllowed(name)}. If it is a column, write its table's name before it (t.${name})`);
}

/** The refusal of a table of `system` that is not on the list. */
export function refusedTable(name: string, { systemTables }: EngineNames, database: string): Refusal | undefined {
  const [first = '', second] = name.split('.');
  const table = first.toLowerCase() === 'system' ? second : database === 'system' && systemTables.has(first) ? first : undefined;
  if (table === undefined || ALLOWED_SYSTEM_TABLES.has(table)) return undefined;
  return outside(
    `system.${table} is not among the tables that may be read (system.tables, columns, parts, settings and others are)`,
  );
}

/** `merge` reads every table of a database whose name matches. */
const MERGE = "merge() needs the store's database as its first argument, as a text or a name: merge(millrace, '^steps$')";

/** The engine's error with positions in the statement, not in ours that explains it. */
function inStatement(error: unknown, before: number): unknown {
  if (!(error instanceof Error)) return error;
  error.message = error.message
    .replace(/failed at position (\d+)/, (_, at: string) => `failed at position ${Math.max(1, Number(at) - before)}`)
    .replace(/ ?\(line (\d+), col (\d+)\)/, (_, line: string, col: string) =>
      line === '2' ? '' : ` (line ${Number(line) - 1}, col ${col})`,
    );
  return error;
}
