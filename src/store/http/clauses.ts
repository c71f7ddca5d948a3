import { assignmentsAt } from '../sql/assignments.ts';
import { isClosing, isOpening, isSymbol, isWord } from '../sql/guard.ts';
import type { Token } from '../sql/lexer.ts';
import { exception } from './exception.ts';

/** Settings that one statement may have; more is a mistake or an attack. */
export const MAX_SETTINGS = 1_000;

/** What stands at the end of a statement that reads. */
export interface Clauses {
  /** Tokens before these clauses. */
  end: number;
  format: string | undefined;
  settings: [string, string][];
}

/** Takes FORMAT and SETTINGS off the end of a statement, in whatever order they come; each token is looked at a few times at most. */
export function clausesOf(tokens: readonly Token[]): Clauses {
  let end = tokens.length;
  let format: string | undefined;
  const groups: [string, string][][] = [];
  let count = 0;
  for (;;) {
    const name = tokens[end - 1];
    const isFormat = end > 2 && isWord(tokens[end - 2], 'format') && name?.kind === 'word' && !isSymbol(tokens[end - 3], '.');
    if (format === undefined && isFormat) {
      format = name.text;
      end -= 2;
      continue;
    }
    const found = settingsBefore(tokens, end);
    if (!found) return { end, format, settings: groups.reverse().flat() };
    count += found.settings.length;
    if (count > MAX_SETTINGS) throw exception('BAD_ARGUMENTS', `A statement may have ${MAX_SETTINGS} settings.`);
    groups.push(found.settings);
    end = found.at;
  }
}

/** The SETTINGS clause that reaches to `end`. */
export function settingsBefore(tokens: readonly Token[], end: number): { at: number; settings: [string, string][] } | undefined {
  let open = 0;
  for (let at = end - 1; at > 0; at -= 1) {
    const token = tokens[at]!;
    if (isClosing(token)) open += 1;
    else if (isOpening(token)) open -= 1;
    if (open < 0) return undefined;
    // A clause begins with `name =`: others are not even tried.
    if (open !== 0 || !isWord(token, 'settings') || !isSymbol(tokens[at + 2], '=')) continue;
    const read = assignmentsAt(tokens, at + 1);
    if (read?.end === end) return { at, settings: read.settings };
  }
  return undefined;
}
