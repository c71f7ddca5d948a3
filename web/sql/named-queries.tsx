import { useState } from 'preact/hooks';
import { jobs } from '../api/live.ts';
import { quote } from '../api/rpc.ts';
import type { NamedQuery } from '../api/types.ts';
import type { Loaded } from '../parts/load.ts';

/** Runs one of the queries of `millrace query`. */
export function NamedQueries({
  queries,
  onChoose,
}: {
  queries: Loaded<NamedQuery[]>;
  onChoose: (sql: string) => void;
}): preact.JSX.Element {
  const [name, setName] = useState('success-by-version');
  const [job, setJob] = useState('');
  const [given, setGiven] = useState<Record<string, string>>({});
  const ids = [...(jobs.value?.keys() ?? [])];
  const query = queries.data?.find((each) => each.name === name);
  const of = job || ids.at(-1) || '';
  return (
    <form
      class="named"
      aria-label="Named queries"
      onSubmit={(event) => {
        event.preventDefault();
        if (query !== undefined) onChoose(filled(query, { ...given, job: of }));
      }}
    >
      <label>
        Named query
        <select
          value={name}
          onChange={(event) => {
            setName(event.currentTarget.value);
            setGiven({});
          }}
        >
          {(queries.data ?? []).map((each) => (
            <option key={each.name}>{each.name}</option>
          ))}
        </select>
      </label>
      <label>
        Job
        <select value={of} onChange={(event) => setJob(event.currentTarget.value)}>
          {ids.map((id) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </label>
      {query?.parameters.map(({ name: parameter, byDefault, title }) => (
        <label key={parameter} title={title}>
          {parameter}
          <input
            value={given[parameter] ?? byDefault}
            onInput={(event) => setGiven({ ...given, [parameter]: event.currentTarget.value })}
          />
        </label>
      ))}
      <button class="button" type="submit" disabled={query === undefined || of === ''}>
        Run query
      </button>
      {query !== undefined && <p class="muted">{query.title}</p>}
    </form>
  );
}

/** The statement of a query with its values in place. */
export function filled({ sql, parameters }: NamedQuery, given: Readonly<Record<string, string>>): string {
  const values: Record<string, string> = {
    ...Object.fromEntries(parameters.map(({ name, byDefault }) => [name, byDefault])),
    ...given,
  };
  return sql.replaceAll(/\{(\w+):(\w+)\}/g, (whole, name: string, type: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return type === 'String' ? quote(value) : `to${type}(${/^-?\d+$/.test(value) ? value : quote(value)})`;
  });
}
