import { isClosing, isOpening, isSymbol, isWord } from './guard.ts';
import type { Refusal } from './guard.ts';
import type { Token } from './lexer.ts';

/** What the judge has to look at in a reading statement: SELECTs that hold all of its expressions and tables. */
export interface Forms {
  selects: readonly string[];
  refused?: Refusal;
}

/** `SHOW` of these is answered from tables of `system` that everybody may read. */
const SHOWN = new Set(
  'tables databases columns fields create index indexes indices keys functions settings setting processlist engines dictionaries'.split(
    ' ',
  ),
);
/** Words that may stand between SHOW and what is shown. */
const ADVERBS = new Set(['full', 'extended', 'changed']);
/** `SHOW CREATE` of these, or of a name alone. */
const NOT_CREATED = new Set(
  'user users role roles policy policies row quota quotas profile profiles settings access named'.split(' '),
);
/** What EXPLAIN can explain. */
const EXPLAINED = new Set('ast syntax query tree plan pipeline estimate'.split(' '));

/**
 * The SELECTs of a statement. DESCRIBE and SHOW are no SELECTs, but what can be computed in them stands where it can stand in one.
 */
export function selectsOf(sql: string, tokens: readonly Token[]): Forms {
  const at = tokens.findIndex((token) => !isSymbol(token, '('));
  const first = tokens[at];
  const from = (index: number): string => (index < tokens.length ? sql.slice(tokens[index]!.start) : '');
  switch (first?.text.toLowerCase()) {
    case 'explain':
      return explained(tokens, at, from);
    case 'desc':
    case 'describe': {
      const named = isWord(tokens[at + 1], 'table') && tokens[at + 2] !== undefined && !isSymbol(tokens[at + 2], '.');
      return { selects: [`SELECT * FROM ${from(at + (named ? 2 : 1))}`] };
    }
    case 'exists':
      if (settingsAfter(tokens, at + 1)) return refuse(settingsAfter(tokens, at + 1)!, 'leave SETTINGS out');
      return tokens.some(isOpening) ? refuse(tokens.find(isOpening)!, 'EXISTS takes a name only') : { selects: [] };
    case 'show':
      return shown(tokens, at, from);
    default:
      return { selects: [sql] };
  }
}

function explained(tokens: readonly Token[], at: number, from: (index: number) => string): Forms {
  let index = at + 1;
  for (; index < tokens.length; index += 1) {
    const token = tokens[index]!;
    if (isSymbol(token, '(') || isWord(token, 'select') || isWord(token, 'with')) return { selects: [from(index)] };
    const isSetting = isSymbol(tokens[index + 1], '=') || isSymbol(tokens[index - 1], '=');
    if (!isSetting && !isSymbol(token, '=') && !isSymbol(token, ',') && !EXPLAINED.has(token.text.toLowerCase())) break;
  }
  return refuse(tokens[index] ?? tokens[at]!, 'only SELECT can be explained');
}

function shown(tokens: readonly Token[], at: number, from: (index: number) => string): Forms {
  let index = at + 1;
  while (ADVERBS.has(tokens[index]?.text.toLowerCase() ?? '')) index += 1;
  const what = tokens[index];
  const word = what?.text.toLowerCase() ?? '';
  if (what === undefined || !SHOWN.has(word)) {
    return refuse(what ?? tokens[at]!, `SHOW ${what?.text.slice(0, 40) ?? ''} is not allowed; SHOW ${[...SHOWN].join(', ')} are`);
  }
  if (word === 'create' && NOT_CREATED.has(tokens[index + 1]?.text.toLowerCase() ?? '') && tokens.length > index + 2) {
    return refuse(what, 'SHOW CREATE shows tables, views and databases only');
  }
  const clause = settingsAfter(tokens, index + 1);
  if (clause) return refuse(clause, 'leave SETTINGS out');
  const where = outermost(tokens, (token) => isWord(token, 'where') || isWord(token, 'limit'));
  const head = tokens.slice(0, where < 0 ? tokens.length : where);
  const opening = head.find(isOpening);
  if (opening && !isSymbol(opening, '{')) return refuse(opening, 'SHOW takes names and texts only');
  return { selects: where < 0 ? [] : [`SELECT 1 FROM system.one ${from(where)}`] };
}

/** A SETTINGS clause behind the names of what is shown. */
const settingsAfter = (tokens: readonly Token[], from: number): Token | undefined =>
  tokens.find((token, at) => at >= from && isWord(token, 'settings') && /^(?:word|quoted)$/.test(tokens[at + 1]?.kind ?? ''));

/** The first such token that is in no brackets; -1 when there is none. */
export function outermost(tokens: readonly Token[], is: (token: Token) => boolean, from = 0): number {
  let depth = 0;
  for (let index = from; index < tokens.length; index += 1) {
    const token = tokens[index]!;
    if (isOpening(token)) depth += 1;
    else if (isClosing(token)) depth -= 1;
    else if (depth === 0 && is(token)) return index;
  }
  return -1;
}

const refuse = (token: Token, message: string): Forms => ({ selects: [], refused: { kind: 'outside', message, token } });
