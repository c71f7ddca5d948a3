import { quote, records, runSql } from '../api/rpc.ts';
import { hrefTo } from '../app/router.ts';
import { Mood } from '../parts/badge.tsx';
import { figure } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';

const MOST = 12;

type Row = { version: number; judged: string; successes: string; reward: number; steps: number; trajectory: string };

/** The same task at other versions of the policy. */
export function OtherVersions({ job, task, id }: { job: string; task: string; id: string }): preact.JSX.Element {
  const sql = `SELECT policy_version AS version, countIf(valid) AS judged, countIf(success) AS successes, avgIf(reward, valid) AS reward,
  avg(steps) AS steps, any(trajectory_id) AS trajectory
FROM trajectories
WHERE job = ${quote(job)} AND task_id = ${quote(task)}
GROUP BY version
ORDER BY version DESC
LIMIT ${MOST}`;
  const loaded = useLoaded((signal) => runSql(sql, MOST, signal), [job, task]);
  return (
    <Panel title="Same task at other versions" actions={<SqlLink sql={sql} />}>
      <WhenLoaded of={loaded}>
        {(result) => {
          const rows = records(result) as Row[];
          if (rows.length === 0) return <Empty title="The task was not run at another version" />;
          return (
            <Table
              label="Same task at other versions"
              keyOf={({ version }) => String(version)}
              entries={rows}
              columns={[
                {
                  name: 'Version',
                  head: true,
                  cell: (row) =>
                    row.trajectory === id ? (
                      row.version
                    ) : (
                      <a href={hrefTo(['jobs', job, 'trajectories', row.trajectory])}>{row.version}</a>
                    ),
                },
                {
                  name: 'Successes',
                  right: true,
                  cell: (row) => <Mood good={Number(row.successes) > 0}>{`${row.successes} of ${row.judged}`}</Mood>,
                },
                { name: 'Reward', right: true, cell: (row) => figure(row.reward) },
                { name: 'Steps', right: true, cell: (row) => figure(row.steps, 2) },
              ]}
            />
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}
