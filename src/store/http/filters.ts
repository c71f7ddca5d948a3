import { isSymbol, outsideCall } from '../guard.ts';
import { tokenize, unquoted } from '../lexer.ts';
import { literal } from '../engine.ts';
import { exception } from './exception.ts';

/**
 * Settings that hold SQL, which the engine makes part of the query: Grafana's ad hoc filters come as
 * `additional_table_filters = {'table': 'condition'}`. What they say is held to the same rules as the query. Gives the value as
 * the engine is to have it, written anew from what was checked; undefined for every other setting. Throws ClickHouse exceptions.
 */
export function checkedFilter(name: string, value: string): string | undefined {
  switch (name) {
    case 'additional_table_filters': {
      const conditions = readMap(value);
      for (const [, condition] of conditions) checkCondition(condition);
      return `{${conditions.map((pair) => pair.map((text) => literal(text)).join(': ')).join(', ')}}`;
    }
    case 'additional_result_filter':
    case 'parallel_replicas_custom_key':
      checkCondition(value);
      return value;
    default:
      return undefined;
  }
}

/** `{'table': 'condition', ...}` */
function readMap(text: string): [string, string][] {
  const tokens = tokenize(text);
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
  const tokens = tokenize(condition);
  for (const [index, token] of tokens.entries()) {
    const next = tokens[index + 1];
    const called = outsideCall(token, next);
    if (called) throw exception('ACCESS_DENIED', `Not enough privileges. ${called.message}.`);
    const isSettings = token.kind === 'word' && token.text.toLowerCase() === 'settings' && isSymbol(tokens[index + 2], '=');
    if (isSettings) throw exception('READONLY', 'Cannot modify settings in a filter.');
    // A parameter that was not given could be another request's.
    if (isSymbol(token, '{')) throw exception('BAD_ARGUMENTS', 'A filter has no parameters; write the value.');
  }
}
