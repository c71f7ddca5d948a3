import { isSymbol, isWord } from './guard.ts';
import type { Token } from './lexer.ts';

/** A table, view or database that a statement is about. */
export interface Target {
  /** Undefined: the current one. */
  database: string | undefined;
  /** Undefined: the database as a whole. */
  table: string | undefined;
}

/** What a statement does, and to what. */
export interface Intent {
  /** `CREATE TABLE`, `DROP DATABASE`, `INSERT` ... */
  kind: string;
  targets: readonly Target[];
}

const OBJECTS = new Set('table tables view database databases dictionary dictionaries index function'.split(' '));
/** Words before, between and behind names; a table of such a name has to be quoted. */
const NO_NAMES = new Set(
  `or replace temporary materialized unique if not exists empty from into all to and on cluster sync no delay permanently like ilike
  final deduplicate partition by`.split(/\s+/),
);
/** Statements that name several things; of the others only the first name counts. */
const SEVERAL = new Set(['drop', 'truncate', 'rename', 'exchange']);

/** How writing statements begin; a statement that begins otherwise has no target that could be told for sure. */
const HEADS: Readonly<Record<string, RegExp>> = {
  insert: /^insert /,
  create: /^create (?:or replace )?(?:table|view|materialized view|database|index|unique index) /,
  alter: /^alter table /,
  drop: /^drop (?:table|view|database|index) /,
  truncate: /^truncate /,
  rename: /^rename (?:table|database) /,
  exchange: /^exchange tables /,
  optimize: /^optimize table /,
  delete: /^delete from /,
  update: /^update /,
};

/** Whether a statement begins as one of those the writer may use. */
export function hasKnownHead(tokens: readonly Token[]): boolean {
  const head = tokens.slice(0, 5).map((token) => (token.kind === 'word' ? token.text.toLowerCase() : '*'));
  return HEADS[head[0] ?? '']?.test(`${head.join(' ')} `) === true;
}

/** What the tokens of a writing statement are about. `parameters` are the values of {name:Identifier}. */
export function intentOf(tokens: readonly Token[], parameters: Readonly<Record<string, string>> = {}): Intent {
  const verb = tokens[0]?.text.toLowerCase() ?? '';
  const words: string[] = [verb];
  const names: string[][] = [];
  let object = '';
  let at = 1;
  while (at < tokens.length) {
    const token = tokens[at]!;
    const word = token.kind === 'word' && !isSymbol(tokens[at + 1], '.') ? token.text.toLowerCase() : '';
    // Once it is known what kind of thing is meant, such a word is a name.
    if (object === '' && names.length === 0 && OBJECTS.has(word)) {
      object = word;
      words.push(word);
      at += 1;
    } else if (NO_NAMES.has(word)) {
      if (word === 'materialized') words.push(word);
      // What follows is no name of a thing: a cluster, a pattern.
      at += word === 'cluster' || word === 'like' || word === 'ilike' ? 2 : 1;
    } else {
      const name = nameAt(tokens, at, parameters);
      if (name === undefined) {
        if (!SEVERAL.has(verb)) break;
        at += 1;
        continue;
      }
      // DROP INDEX i ON t: the table is what is meant.
      if (object === 'index' && !isWord(tokens[at - 1], 'on')) {
        at = name.end;
        continue;
      }
      names.push(name.parts);
      at = name.end;
      if (!SEVERAL.has(verb)) break;
    }
  }
  const whole = object.startsWith('database') || (verb === 'truncate' && (object === 'tables' || object === 'databases'));
  const targets = names.map((parts): Target => {
    if (whole) return { database: parts.at(-1), table: undefined };
    return { database: parts.length > 1 ? parts[0] : undefined, table: parts.at(-1) };
  });
  return { kind: words.join(' ').toUpperCase(), targets };
}

/** `name` or `database.name` at a token, each a word, quoted, or a parameter, and the token after it. */
export function nameAt(
  tokens: readonly Token[],
  at: number,
  parameters: Readonly<Record<string, string>>,
): { parts: string[]; end: number } | undefined {
  const parts: string[] = [];
  for (let index = at; ;) {
    const token = tokens[index];
    if (isSymbol(token, '{')) {
      const name = tokens[index + 1]?.text ?? '';
      parts.push(Object.hasOwn(parameters, name) ? parameters[name]! : '');
      index += 5;
    } else if (token?.kind === 'word' || token?.kind === 'quoted') {
      parts.push(token.text);
      index += 1;
    } else return undefined;
    if (!isSymbol(tokens[index], '.')) return { parts, end: index };
    index += 1;
  }
}
