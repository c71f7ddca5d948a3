import { quote, records, runSql } from '../api/rpc.ts';
import type { Job } from '../api/types.ts';
import { clock } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';

const MOST = 100;

function eventsSql(job: string): string {
  return `SELECT id, toUnixTimestamp64Milli(at) AS ms, kind, message, node
FROM job_events
WHERE job = ${quote(job)}
ORDER BY at DESC, id
LIMIT ${MOST}`;
}

/** What happened to a job, the newest first. */
export function Events({ job }: { job: Job }): preact.JSX.Element {
  const sql = eventsSql(job.id);
  const notices = (job.notices ?? []).map(({ count = '0', resolveTime = '' }) => count + resolveTime).join();
  const loaded = useLoaded((signal) => runSql(sql, MOST, signal), [job.id], `${job.state} ${job.progress?.round} ${notices}`);
  return (
    <Panel title="Events" actions={<SqlLink sql={sql} />}>
      <WhenLoaded of={loaded}>
        {(result) => {
          const rows = records(result);
          if (rows.length === 0) return <Empty title="Nothing has happened yet" />;
          return (
            <ol class="events">
              {rows.map(({ id, ms, kind, message, node }) => (
                <li key={String(id)}>
                  <time>{clock(new Date(Number(ms)).toISOString())}</time>
                  <code>{String(kind)}</code>
                  <span>{String(message)}</span>
                  <small class="muted">{String(node)}</small>
                </li>
              ))}
            </ol>
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}
