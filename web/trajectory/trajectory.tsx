import { hrefTo } from '../app/router.ts';
import { records, runSql } from '../api/rpc.ts';
import { Mood } from '../parts/badge.tsx';
import { figure } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, Stat, Stats, WhenLoaded } from '../parts/states.tsx';
import { OtherVersions } from './other-versions.tsx';
import { headSql, stepsSql, type HeadRow, type StepRow } from './rows.ts';
import { StepCard } from './step.tsx';

/** One run of a flow, step by step. */
export function TrajectoryView({ job, id }: { job: string; id: string }): preact.JSX.Element {
  const head = useLoaded((signal) => runSql(headSql(job, id), 1, signal), [job, id]);
  return (
    <>
      <p class="crumbs">
        <a href={hrefTo(['jobs'])}>Jobs</a> / <a href={hrefTo(['jobs', job])}>{job}</a>
      </p>
      <WhenLoaded of={head} lines={6}>
        {(result) => {
          const row = records(result)[0] as HeadRow | undefined;
          if (row === undefined)
            return (
              <Empty title="There is no such trajectory">
                The store has none of job {job} with the id {id}.
              </Empty>
            );
          return <Whole row={row} />;
        }}
      </WhenLoaded>
    </>
  );
}

function Whole({ row }: { row: HeadRow }): preact.JSX.Element {
  const { job, trajectory_id: id } = row;
  return (
    <>
      <div>
        <h1>
          {row.task_id}{' '}
          <Mood good={row.valid ? row.success : undefined}>
            {row.valid ? (row.success ? 'success' : 'failure') : row.failure}
          </Mood>
        </h1>
        <p class="muted breakable">{id}</p>
      </div>
      {row.failure_message !== '' && <p class="callout callout-bad">{row.failure_message}</p>}
      <Stats>
        <Stat name="Reward" note={`outcome ${figure(row.outcome)}`}>
          {figure(row.reward)}
        </Stat>
        <Stat name="Advantage">{figure(row.advantage)}</Stat>
        <Stat name="Version" note={`dispatched at ${row.dispatch_version}`}>
          {row.policy_version}
        </Stat>
        <Stat name="Steps" note={`${row.tool_errors} tool errors`}>
          {row.steps}
        </Stat>
        <Stat name="Ended by">{row.termination.replaceAll('_', ' ') || '–'}</Stat>
        <Stat name="Group" note={row.verdict.replaceAll('_', ' ')}>
          <a href={hrefTo(['jobs', job, 'groups', row.request_id])}>siblings</a>
        </Stat>
      </Stats>
      <Components components={row.components} />
      <Steps job={job} id={id} />
      {row.answer !== '' && (
        <Panel title="Answer">
          <pre class="text">{row.answer}</pre>
        </Panel>
      )}
      <OtherVersions job={job} task={row.task_id} id={id} />
    </>
  );
}

function Components({ components }: { components: HeadRow['components'] }): preact.JSX.Element | null {
  const entries = Object.entries(components ?? {});
  if (entries.length === 0) return null;
  return (
    <Panel title="Reward by component">
      <Stats>
        {entries.map(([name, value]) => (
          <Stat key={name} name={name}>
            {figure(value)}
          </Stat>
        ))}
      </Stats>
    </Panel>
  );
}

function Steps({ job, id }: { job: string; id: string }): preact.JSX.Element {
  const sql = stepsSql(job, id);
  const loaded = useLoaded((signal) => runSql(sql, 1000, signal), [job, id]);
  return (
    <Panel title="Steps" actions={<SqlLink sql={sql} />}>
      <WhenLoaded of={loaded} lines={8}>
        {(result) => {
          const steps = records(result) as StepRow[];
          if (steps.length === 0) return <Empty title="No step is stored">Steps of sampled-out trajectories are not kept.</Empty>;
          return (
            <ol class="steps">
              {steps.map((step) => (
                <StepCard key={step.step} step={step} />
              ))}
            </ol>
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}
