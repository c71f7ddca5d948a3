import { useState } from 'preact/hooks';
import { quote, records, runSql } from '../api/rpc.ts';
import type { Job } from '../api/types.ts';
import { hrefTo } from '../app/router.ts';
import { Mood } from '../parts/badge.tsx';
import { figure } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';

const PAGE = 25;
const KINDS: Readonly<Record<string, [string, string]>> = {
  all: ['All of training', "purpose = 'train'"],
  failed: ['Failures of training', "purpose = 'train' AND valid AND NOT success"],
  succeeded: ['Successes of training', "purpose = 'train' AND success"],
  broken: ['Not judged', 'NOT valid'],
  evaluate: ['Evaluations', "purpose = 'evaluate'"],
};

/** The newest trajectories of a kind. */
function trajectoriesSql(job: string, kind: string, most: number): string {
  return `SELECT trajectory_id, request_id, policy_version, task_id, success, valid, reward, advantage, steps, tool_errors, termination, failure
FROM trajectories
WHERE job = ${quote(job)} AND ${KINDS[kind]?.[1] ?? 'true'}
ORDER BY round DESC, trajectory_id
LIMIT ${most}`;
}

type Row = {
  trajectory_id: string;
  request_id: string;
  policy_version: number;
  task_id: string;
  success: boolean;
  valid: boolean;
  reward: number;
  advantage: number;
  steps: number;
  tool_errors: number;
  termination: string;
  failure: string;
};

/** The newest trajectories, each a link to its steps. */
export function Trajectories({ job }: { job: Job }): preact.JSX.Element {
  const [kind, setKind] = useState('all');
  const [most, setMost] = useState(PAGE);
  const sql = trajectoriesSql(job.id, kind, most);
  const loaded = useLoaded((signal) => runSql(sql, most, signal), [job.id, kind, most], job.progress?.round);
  const choice = (
    <>
      <label>
        <span class="unseen">Which trajectories</span>
        <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {Object.entries(KINDS).map(([name, [title]]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <SqlLink sql={sql} />
    </>
  );
  return (
    <Panel title="Trajectories" actions={choice}>
      <WhenLoaded of={loaded} lines={6}>
        {(result) => {
          const rows = records(result) as Row[];
          if (rows.length === 0) return <Empty title="There is no such trajectory yet" />;
          return (
            <>
              <TrajectoryTable job={job.id} rows={rows} />
              {rows.length === most && (
                <button class="button" type="button" onClick={() => setMost(most * 4)}>
                  Show more
                </button>
              )}
            </>
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}

function TrajectoryTable({ job, rows }: { job: string; rows: readonly Row[] }): preact.JSX.Element {
  return (
    <Table
      label="Trajectories"
      keyOf={({ trajectory_id: id }) => id}
      entries={rows}
      columns={[
        {
          name: 'Task',
          head: true,
          cell: (row) => <a href={hrefTo(['jobs', job, 'trajectories', row.trajectory_id])}>{row.task_id}</a>,
        },
        {
          name: 'Outcome',
          cell: (row) => (
            <Mood good={row.valid ? row.success : undefined}>
              {row.valid ? (row.success ? 'success' : 'failure') : row.failure}
            </Mood>
          ),
        },
        { name: 'Version', right: true, cell: (row) => row.policy_version },
        { name: 'Reward', right: true, cell: (row) => figure(row.reward) },
        { name: 'Advantage', right: true, wide: true, cell: (row) => figure(row.advantage) },
        { name: 'Steps', right: true, cell: (row) => row.steps },
        { name: 'Tool errors', right: true, wide: true, cell: (row) => row.tool_errors },
        { name: 'Ended by', wide: true, cell: (row) => row.termination.replaceAll('_', ' ') },
        { name: 'Group', cell: (row) => <a href={hrefTo(['jobs', job, 'groups', row.request_id])}>siblings</a> },
      ]}
    />
  );
}
