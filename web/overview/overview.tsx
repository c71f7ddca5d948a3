import { jobs, nodes } from '../api/live.ts';
import type { ClusterNode, Job } from '../api/types.ts';
import { hrefTo } from '../app/router.ts';
import { isOver, stateName } from '../parts/badge.tsx';
import { dollars, figure } from '../parts/format.ts';
import { Empty, Panel, Skeleton, Stat, Stats } from '../parts/states.tsx';
import { JobTable } from '../jobs/job-table.tsx';
import { Alerts } from './alerts.tsx';
import { Roles } from './roles.tsx';

/** What the cluster does now. */
export function Overview(): preact.JSX.Element {
  const known = jobs.value;
  if (known === undefined) return <Skeleton lines={8} />;
  const all = [...known.values()];
  const open = all.filter(({ state }) => !isOver(state));
  const recent = all
    .filter(({ state }) => isOver(state))
    .sort(byEnd)
    .slice(0, 5);
  return (
    <>
      <h1>Overview</h1>
      <Figures all={all} nodes={[...(nodes.value?.values() ?? [])]} />
      <Alerts jobs={open} />
      <Panel title="Jobs now" actions={<a href={hrefTo(['jobs'])}>All {all.length} jobs</a>}>
        {open.length > 0 ? (
          <JobTable label="Jobs now" jobs={open} />
        ) : (
          <Empty title="No job runs or waits">
            Start one with <code>millrace job create job.yaml</code>.
          </Empty>
        )}
      </Panel>
      <div class="columns">
        <Panel title="Nodes" actions={<a href={hrefTo(['cluster'])}>Cluster</a>}>
          <Roles nodes={[...(nodes.value?.values() ?? [])]} />
        </Panel>
        <Panel title="Ended last">
          {recent.length > 0 ? <JobTable label="Ended last" jobs={recent} brief /> : <Empty title="No job has ended yet" />}
        </Panel>
      </div>
    </>
  );
}

function Figures({ all, nodes: known }: { all: readonly Job[]; nodes: readonly ClusterNode[] }): preact.JSX.Element {
  const running = all.filter(({ state }) => stateName(state) === 'running');
  const waiting = all.filter(({ state }) => stateName(state) === 'queued').length;
  const rate = running.reduce((sum, { progress }) => sum + (progress?.trajectoriesPerSecond ?? 0), 0);
  const stale = running.map(({ progress }) => progress?.staleness).filter((value) => value !== undefined);
  const open = running.reduce((sum, job) => sum + openRequests(job), 0);
  const spent = all.reduce((sum, { progress }) => sum + Number(progress?.ledger?.spentMicroDollars ?? 0), 0);
  return (
    <Stats>
      <Stat name="Running" note={waiting > 0 ? `${waiting} waiting` : 'none waiting'}>
        {running.length}
      </Stat>
      <Stat name="Trajectories a second">{figure(rate)}</Stat>
      <Stat name="Groups in progress">{open}</Stat>
      <Stat name="Staleness" note="versions, mean">
        {stale.length === 0 ? '–' : figure(stale.reduce((sum, value) => sum + value, 0) / stale.length, 2)}
      </Stat>
      <Stat name="Nodes">{known.length}</Stat>
      <Stat name="Spent" note="all jobs">
        {dollars(spent)}
      </Stat>
    </Stats>
  );
}

/** Training requests that have not ended. */
export function openRequests({ progress }: Job): number {
  const { trained, filtered, expired, failed } = progress?.ledger ?? {};
  const ended = [trained, filtered, expired, failed].reduce((sum, value) => sum + Number(value ?? 0), 0);
  return Math.max(0, Number(progress?.requests ?? 0) - ended);
}

const byEnd = (a: Job, b: Job): number => Date.parse(b.endTime ?? '') - Date.parse(a.endTime ?? '');
