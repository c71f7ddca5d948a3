import { MillraceError } from '../../src/errors.ts';

/** A piece of a filter. */
export interface FilterWord {
  kind: 'word' | 'text' | 'comparator' | 'open' | 'close';
  text: string;
  /** Where it begins, counted from 1. */
  column: number;
}

/** Most characters of a filter. */
const LONGEST = 2000;
const PIECE = /\s*(?:(\()|(\))|(!=|<=|>=|=|<|>)|"((?:[^"\\]|\\.)*)"|([^\s()"=<>!]+))/y;

/** Cuts a filter into its pieces. `invalid_argument` with the column of what is none. */
export function filterWords(filter: string): FilterWord[] {
  if (filter.length > LONGEST) throw wrongFilter(`has ${filter.length} characters; the most is ${LONGEST}.`);
  const words: FilterWord[] = [];
  const end = filter.trimEnd().length;
  for (let at = 0; at < end; at = PIECE.lastIndex) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(filter);
    if (match === null) {
      const rest = filter.slice(at).trimStart();
      const what = rest.startsWith('"') ? 'a text without its closing quote' : JSON.stringify(rest[0]);
      throw wrongFilter(`column ${filter.length - rest.length + 1}: ${what} is not expected here.`);
    }
    const [whole, open, close, comparator, quoted, bare] = match;
    const column = at + whole.length - whole.trimStart().length + 1;
    if (open !== undefined) words.push({ kind: 'open', text: open, column });
    else if (close !== undefined) words.push({ kind: 'close', text: close, column });
    else if (comparator !== undefined) words.push({ kind: 'comparator', text: comparator, column });
    else if (quoted !== undefined) words.push({ kind: 'text', text: quoted.replace(/\\(.)/gs, '$1'), column });
    else words.push({ kind: 'word', text: bare!, column });
  }
  return words;
}

/** What is wrong with a filter. */
export function wrongFilter(message: string): MillraceError {
  return new MillraceError('invalid_argument', `${message} Example: state=RUNNING AND owner="ana"`, { field: 'filter' });
}
