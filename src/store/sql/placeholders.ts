import { isSymbol } from './guard.ts';
import type { Token } from './lexer.ts';

/** `{name:Type}` in a statement. */
export interface Placeholder {
  name: string;
  /** Its value stands for a name: of a column, a table, a function. */
  isIdentifier: boolean;
}

/** The placeholders of a statement, each once. */
export function placeholdersOf(tokens: readonly Token[]): Placeholder[] {
  const found = new Map<string, Placeholder>();
  for (const [index, token] of tokens.entries()) {
    const [name, colon, type] = [tokens[index + 1], tokens[index + 2], tokens[index + 3]];
    const isOne = isSymbol(token, '{') && isSymbol(colon, ':') && (name?.kind === 'word' || name?.kind === 'quoted');
    if (!isOne) continue;
    const isIdentifier = type?.text.toLowerCase() === 'identifier' || found.get(name.text)?.isIdentifier === true;
    found.set(name.text, { name: name.text, isIdentifier });
  }
  return [...found.values()];
}
