import { MillraceError } from '../../src/errors.ts';
import { isQueryName, namedQuery, QUERY_NAMES, queryParameters, queryText, type QueryName } from '../../src/store/queries.ts';

/** A named query for a job as plain SQL, which is what the admin API takes. */
export function namedQuerySql(name: QueryName, job: string, given: Readonly<Record<string, string>> = {}): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(job)) {
    throw new MillraceError('invalid_argument', `"${job}" is not a job id: lower-case letters, digits and "-".`, {
      field: '--job',
    });
  }
  const query = namedQuery(name);
  return queryText(query, queryParameters(query, job, given));
}

/** A name as it was typed. `invalid_argument` and the names there are for anything else. */
export function checkQueryName(name: string): QueryName {
  if (isQueryName(name)) return name;
  throw new MillraceError('invalid_argument', `"${name}" is not a named query; use one of ${QUERY_NAMES.join(', ')}.`, {
    field: 'name',
  });
}

/** Reads `--param key=value` texts. */
export function parseParameters(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new MillraceError('invalid_argument', `"${text}" is no parameter; write --param key=value.`, { field: '--param' });
    }),
  );
}

/** All named queries, for programs. */
export function queriesJson(): object[] {
  return QUERY_NAMES.map((name) => {
    const { title, parameters } = namedQuery(name);
    return { name, title, parameters };
  });
}

/** All named queries with what they answer and can be told, for people. */
export function listQueries(): string {
  const lines: string[] = [];
  for (const name of QUERY_NAMES) {
    const { title, parameters } = namedQuery(name);
    lines.push(`${name.padEnd(20)} ${firstSentence(title)}`);
    for (const parameter of parameters)
      lines.push(`${''.padEnd(20)}   --param ${parameter.name}=${parameter.byDefault || '...'}  ${parameter.title}`);
  }
  return `${lines.join('\n')}\n`;
}

const firstSentence = (text: string): string => /^.*?[.:](?=\s|$)/.exec(text)?.[0].replace(/:$/, '.') ?? text;
