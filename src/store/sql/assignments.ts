import { beginsSettings, isSymbol, isWord } from './guard.ts';
import type { Token } from './lexer.ts';
import { unquoted } from './lexer.ts';

/** `a = 1, b = 'x'` somewhere in a statement. */
export interface Assignments {
  settings: [string, string][];
  /** Index behind the last token. */
  end: number;
}

/**
 * Reads the settings that begin at `at`, in one pass over their tokens: literals, and maps of texts as they are written. Undefined when there
 * is something else before the first comma that is not followed by another setting.
 */
export function assignmentsAt(tokens: readonly Token[], at: number): Assignments | undefined {
  const settings: [string, string][] = [];
  for (let index = at; ;) {
    const name = tokens[index];
    if (name?.kind !== 'word' || !isSymbol(tokens[index + 1], '=')) return undefined;
    const value = valueAt(tokens, index + 2);
    if (value === undefined) return undefined;
    settings.push([name.text, value.text]);
    index = value.end;
    if (!isSymbol(tokens[index], ',') || !isSymbol(tokens[index + 2], '=')) return { settings, end: index };
    index += 1;
  }
}

function valueAt(tokens: readonly Token[], at: number): { text: string; end: number } | undefined {
  if (isSymbol(tokens[at], '{')) return mapAt(tokens, at);
  const negative = isSymbol(tokens[at], '-');
  const value = tokens[negative ? at + 1 : at];
  if (value === undefined || value.kind === 'symbol' || value.kind === 'quoted') return undefined;
  const text = value.kind === 'string' ? unquoted(value.text) : value.text;
  return negative ? { text: `-${text}`, end: at + 2 } : { text, end: at + 1 };
}

function mapAt(tokens: readonly Token[], at: number): { text: string; end: number } | undefined {
  const texts: string[] = [];
  for (let index = at; index < tokens.length; index += 1) {
    const token = tokens[index]!;
    if (token.kind !== 'string' && !/^[{}:,]$/.test(token.text)) return undefined;
    texts.push(token.text);
    if (isSymbol(token, '}')) return { text: texts.join(' '), end: index + 1 };
  }
  return undefined;
}

/** A SETTINGS clause that cannot be read. */
export const UNREADABLE = 'unreadable';

/** Every setting in a statement, whatever it is a setting of; {@link UNREADABLE} where the value of one is more than a literal. */
export function allSettings(tokens: readonly Token[]): [string, string][] | typeof UNREADABLE {
  const found: [string, string][] = [];
  for (let index = 0; index < tokens.length; index += 1) {
    if (!isWord(tokens[index], 'settings') && !isWord(tokens[index], 'setting')) continue;
    if (!isSymbol(tokens[index + 2], '=')) {
      if (beginsSettings(tokens, index + 1)) return UNREADABLE;
      continue;
    }
    const read = assignmentsAt(tokens, index + 1);
    // More settings behind a value that is no literal would go unseen.
    if (!read || isSymbol(tokens[read.end], '(')) return UNREADABLE;
    if (isSymbol(tokens[read.end], ',') && beginsSettings(tokens, read.end + 1)) return UNREADABLE;
    found.push(...read.settings);
    index = read.end - 1;
  }
  return found;
}
