import { readFileSync } from 'node:fs';
import { MillraceError } from '../errors.ts';
import { literal } from './engine.ts';

/** The named queries of src/store/queries; each takes {job:String}. */
export const QUERY_NAMES = [
  'success-by-version',
  'success-by-type',
  'evaluations',
  'compare-versions',
  'compare-jobs',
  'paired',
  'why',
  'credit',
  'trajectory',
  'conversation',
  'tasks',
  'no-signal',
  'tools',
  'tool-use',
  'tool-errors',
  'time',
  'cost',
  'failures',
  'staleness',
  'reward-components',
  'exploration',
  'curriculum',
  'experiments',
  'calls',
] as const;

export type QueryName = (typeof QUERY_NAMES)[number];

/** Something a named query can be told besides the job. */
export interface QueryParameter {
  name: string;
  /** ClickHouse's name of its type: String, or one of the whole numbers. */
  type: string;
  /** As text. */
  byDefault: string;
  /** What it means, in a few words. */
  title: string;
}

/** A question and the SQL that answers it. */
export interface NamedQuery {
  name: QueryName;
  /** What it answers, in a sentence or a few. */
  title: string;
  /** Besides `job`, which every query takes. */
  parameters: readonly QueryParameter[];
  /** With the placeholder {job:String}, and the parameters at their defaults. */
  sql: string;
  /** With placeholders {name:Type} for `job` and the parameters. */
  template: string;
}

/** What several queries have in common: `@use name` in a line of its own stands for the text of this file. */
const partOf = (name: string): URL => new URL(`./queries/${name}.part.sql`, import.meta.url);

const PARAMETER = /^@param (\w+) (String|U?Int(?:8|16|32|64)) = (\S+): (.+)$/;

/** Reads a named query: the comment at its head says what it answers and what it can be told. */
export function namedQuery(name: QueryName): NamedQuery {
  const lines = readFileSync(new URL(`./queries/${name}.sql`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const isHead = (line: string): boolean => line.startsWith('-- ');
  const comment = lines.filter(isHead).map((line) => line.slice(3).trim());
  const template = lines
    .filter((line) => !isHead(line))
    .map((line) => line.replace(/^ *@use (\w+)$/, (_, part: string) => readFileSync(partOf(part), 'utf8').trimEnd()))
    .join('\n');
  const parameters = comment.flatMap((line) => {
    const [, parameter, type, byDefault, title] = PARAMETER.exec(line) ?? [];
    if (parameter === undefined) return [];
    return [{ name: parameter, type: type!, byDefault: byDefault === "''" ? '' : byDefault!, title: title! }];
  });
  const title = comment.filter((line) => !line.startsWith('@param')).join(' ');
  const defaults = Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.byDefault]));
  return { name, title, parameters, template, sql: fill(template, defaults) };
}

/** Whether there is a query of this name. */
export function isQueryName(name: string): name is QueryName {
  return (QUERY_NAMES as readonly string[]).includes(name);
}

/**
 * The values a named query runs with: what was given, else the defaults.
 *
 * @throws MillraceError invalid_argument for a parameter that the query does not have and for a value not of its type; the
 *   message says what there is.
 */
export function queryParameters(
  { name, parameters }: Pick<NamedQuery, 'name' | 'parameters'>,
  job: string,
  given: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  for (const key of Object.keys(given)) {
    if (parameters.some((parameter) => parameter.name === key)) continue;
    const known = parameters.map((parameter) => parameter.name).join(', ');
    throw new MillraceError(
      'invalid_argument',
      `query ${name} has no parameter "${key}"; ${known === '' ? 'it takes the job alone' : `use ${known}`}.`,
      { field: key },
    );
  }
  const values: Record<string, string> = { job };
  for (const { name: key, type, byDefault, title } of parameters) {
    const value = given[key] ?? byDefault;
    if (type === 'String' && value === '')
      throw new MillraceError('invalid_argument', `query ${name} has to be told ${key}: ${title}`, { field: key });
    const problem = type === 'String' ? undefined : wrongInteger(value, type);
    if (problem !== undefined)
      throw new MillraceError('invalid_argument', `${key}: got "${value}", expected ${problem} (${title})`, { field: key });
    values[key] = value;
  }
  return values;
}

/** The query as plain SQL, for interfaces that take no parameters. */
export function queryText(query: NamedQuery, values: Readonly<Record<string, string>>): string {
  return fill(query.template, values);
}

/** Writes values in the place of placeholders; those without a value stay. */
function fill(sql: string, values: Readonly<Record<string, string>>): string {
  return sql.replaceAll(/\{(\w+):(\w+)\}/g, (placeholder, name: string, type: string) => {
    const value = values[name];
    if (value === undefined) return placeholder;
    if (type !== 'String') return `to${type}(${value})`;
    return literal(value);
  });
}

/** What a text should be that is not a whole number of this type. */
function wrongInteger(text: string, type: string): string | undefined {
  const signed = type.startsWith('Int');
  const bits = BigInt(type.replace(/\D+/, ''));
  const lowest = signed ? -(2n ** (bits - 1n)) : 0n;
  const highest = signed ? 2n ** (bits - 1n) - 1n : 2n ** bits - 1n;
  if (/^-?\d{1,20}$/.test(text) && BigInt(text) >= lowest && BigInt(text) <= highest) return undefined;
  return `a whole number from ${lowest} to ${highest}`;
}
