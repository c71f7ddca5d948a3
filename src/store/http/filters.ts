import { isSymbol, isWord } from '../sql/guard.ts';
import { sqlTokens, unquoted } from '../sql/lexer.ts';
import { literal } from '../engine.ts';
import { exception } from './exception.ts';

/** A setting that holds SQL: its value as the engine is to have it, and the conditions in it, for the judge. */
export interface Filter {
  value: string;
  conditions: readonly string[];
}

/**
 * Reads a setting that the engine makes part of the query: Grafana's ad hoc filters come as
 * `additional_table_filters = {'table': 'condition'}`. The value is written anew from what was read; undefined for every other setting.
 * Throws ClickHouse exceptions.
 */
export function readFilter(name: string, value: string): Filter | undefined {
  switch (name) {
    case 'additional_table_filters': {
      const pairs = readMap(value);
      const conditions = pairs.map(([, condition]) => condition);
      conditions.forEach(checkCondition);
      return { value: `{${pairs.map((pair) => pair.map((text) => literal(text)).join(': ')).join(', ')}}`, conditions };
    }
    case 'additional_result_filter':
      checkCondition(value);
      return { value, conditions: value === '' ? [] : [value] };
    default:
      return undefined;
  }
}

/** A condition as a statement that the judge can look at. */
export const conditionAsSelect = (condition: string): string => `SELECT 1 FROM system.one WHERE (${condition}\n)`;

/** `{'table': 'condition', ...}` */
function readMap(text: string): [string, string][] {
  const tokens = sqlTokens(text);
  const wrong = (): Error =>
    exception('BAD_ARGUMENTS', "additional_table_filters is a map of texts: {'table': 'condition', ...}.");
  if (!isSymbol(tokens[0], '{') || !isSymbol(tokens.at(-1), '}')) throw wrong();
  const inner = tokens.slice(1, -1);
  const pairs: [string, string][] = [];
  for (let at = 0; at < inner.length; at += 4) {
    const [table, colon, condition, comma] = inner.slice(at, at + 4);
    const isPair = table?.kind === 'string' && isSymbol(colon, ':') && condition?.kind === 'string';
    if (!isPair || (comma !== undefined && !isSymbol(comma, ','))) throw wrong();
    pairs.push([unquoted(table.text), unquoted(condition.text)]);
  }
  return pairs;
}

function checkCondition(condition: string): void {
  const tokens = sqlTokens(condition);
  for (const [index, token] of tokens.entries()) {
    if (isWord(token, 'settings') && isSymbol(tokens[index + 2], '='))
      throw exception('READONLY', 'Cannot modify settings in a filter.');
    if (isSymbol(token, ';')) throw exception('BAD_ARGUMENTS', 'A filter is one condition.');
    // A parameter that was not given could be another request's.
    if (isSymbol(token, '{')) throw exception('BAD_ARGUMENTS', 'A filter has no parameters; write the value.');
  }
}
