import { quote, records, runSql } from '../api/rpc.ts';
import { hrefTo } from '../app/router.ts';
import { Mood } from '../parts/badge.tsx';
import { figure } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';
import { aligned, type Sibling } from './aligned.ts';

/** The trajectories of one group with what each did at each step. */
function groupSql(job: string, request: string): string {
  return `SELECT t.trajectory_id AS trajectory_id, t.member AS member, t.task_id AS task_id, t.policy_version AS policy_version, t.success AS success,
  t.valid AS valid, t.reward AS reward, t.advantage AS advantage,
  arrayMap(each -> each.2, arraySort(groupArray((s.step, if(s.tool = '', s.mistake, s.tool))))) AS tools,
  arrayMap(each -> each.2, arraySort(groupArray((s.step, s.arguments)))) AS calls,
  arrayMap(each -> each.2, arraySort(groupArray((s.step, s.error)))) AS errors
FROM trajectories AS t
LEFT JOIN (SELECT trajectory_id, step, tool, mistake, arguments, error FROM steps WHERE job = ${quote(job)} AND request_id = ${quote(request)}) AS s
  ON s.trajectory_id = t.trajectory_id
WHERE t.job = ${quote(job)} AND t.request_id = ${quote(request)}
GROUP BY trajectory_id, member, task_id, policy_version, success, valid, reward, advantage
ORDER BY reward DESC, member`;
}

/** The siblings of a group side by side: where they part, and what that was worth. */
export function GroupView({ job, id }: { job: string; id: string }): preact.JSX.Element {
  const sql = groupSql(job, id);
  const loaded = useLoaded((signal) => runSql(sql, 200, signal), [job, id]);
  return (
    <>
      <div>
        <p class="crumbs">
          <a href={hrefTo(['jobs'])}>Jobs</a> / <a href={hrefTo(['jobs', job])}>{job}</a>
        </p>
        <h1>Group</h1>
        <p class="muted breakable">{id}</p>
      </div>
      <Panel
        title="Siblings"
        note="Best first. The step at which one parts from the best is marked."
        actions={<SqlLink sql={sql} />}
      >
        <WhenLoaded of={loaded} lines={8}>
          {(result) => {
            const siblings = records(result) as Sibling[];
            return siblings.length === 0 ? (
              <Empty title="The store has no such group" />
            ) : (
              <Siblings job={job} siblings={siblings} />
            );
          }}
        </WhenLoaded>
      </Panel>
    </>
  );
}

function Siblings({ job, siblings }: { job: string; siblings: readonly Sibling[] }): preact.JSX.Element {
  return (
    <div class="table-frame siblings" role="region" aria-label="Siblings, table" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            {siblings.map((one) => (
              <th key={one.trajectory_id} scope="col">
                <a href={hrefTo(['jobs', job, 'trajectories', one.trajectory_id])}>#{one.member + 1}</a>{' '}
                <Mood good={one.valid ? one.success : undefined}>
                  {one.valid ? (one.success ? 'success' : 'failure') : 'not judged'}
                </Mood>
                <small class="muted">
                  reward {figure(one.reward)}, advantage {figure(one.advantage)}
                </small>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {aligned(siblings).map((cells, at) => (
            <tr key={at}>
              <th scope="row">{at + 1}</th>
              {cells.map((cell, i) => (
                <td key={siblings[i]!.trajectory_id} class={cell?.kind}>
                  {cell !== undefined && (
                    <>
                      <code class={cell.error ? 'call call-error' : 'call'}>{cell.tool}</code>
                      <span class="arguments">{cell.arguments === '{}' ? '' : cell.arguments}</span>
                    </>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
