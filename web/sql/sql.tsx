import { useEffect, useState } from 'preact/hooks';
import { call, CallError, runSql } from '../api/rpc.ts';
import type { NamedQuery, QueryRows } from '../api/types.ts';
import { hrefTo, place, replaceAddress } from '../app/router.ts';
import { useLoaded } from '../parts/load.ts';
import { Empty, Panel, Problem, Skeleton } from '../parts/states.tsx';
import { Editor } from './editor.tsx';
import { NamedQueries } from './named-queries.tsx';
import { Result } from './result.tsx';

const MOST = 1000;
const FIRST = `SELECT job, count() AS trajectories, avg(success) AS success
FROM trajectories
GROUP BY job
ORDER BY trajectories DESC`;

/** A statement and what it gives. The address has the statement, so that it can be passed on. */
export function SqlView(): preact.JSX.Element {
  const given = place.value.query.get('q');
  const [sql, setSql] = useState(given ?? FIRST);
  const [answer, setAnswer] = useState<{ result?: QueryRows; error?: string; ms?: number; busy?: boolean }>({});
  const queries = useLoaded((signal) => call<NamedQuery[]>('query.list', {}, signal), []);
  const run = (statement: string): void => {
    setSql(statement);
    replaceAddress(hrefTo(['sql'], { q: statement }));
    setAnswer({ busy: true });
    const began = performance.now();
    runSql(statement, MOST)
      .then((result) => setAnswer({ result, ms: performance.now() - began }))
      .catch((error: Error) => setAnswer({ error: error instanceof CallError ? error.message : String(error) }));
  };
  useEffect(() => {
    if (given !== null) run(given);
  }, []);
  return (
    <>
      <h1>SQL</h1>
      <Editor sql={sql} busy={answer.busy === true} onChange={setSql} onRun={() => run(sql)} />
      <NamedQueries queries={queries} onChoose={run} />
      <Panel title="Result" note={note(answer)}>
        {answer.busy && <Skeleton lines={5} />}
        {answer.error !== undefined && <Problem message={answer.error} />}
        {answer.result !== undefined && <Result result={answer.result} />}
        {Object.keys(answer).length === 0 && (
          <Empty title="Nothing was asked yet">Ctrl + Enter runs the statement. Only statements that read are taken.</Empty>
        )}
      </Panel>
    </>
  );
}

function note({ result, ms }: { result?: QueryRows; ms?: number }): string | undefined {
  if (result === undefined || ms === undefined) return undefined;
  const rows = `${result.rows.length} ${result.rows.length === 1 ? 'row' : 'rows'} in ${Math.round(ms)} ms`;
  return result.truncated ? `${rows}; more were left out` : rows;
}
