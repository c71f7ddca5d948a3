import { jobs } from '../api/live.ts';
import type { Job } from '../api/types.ts';
import { hrefTo } from '../app/router.ts';
import { JobActions } from '../jobs/actions.tsx';
import { isOver, StateBadge } from '../parts/badge.tsx';
import { ago, duration, figure, percent } from '../parts/format.ts';
import { Empty, Skeleton, Stat, Stats } from '../parts/states.tsx';
import { heldOut } from '../jobs/job-table.tsx';
import { Accounting } from './accounting.tsx';
import { Evaluations } from './evaluations.tsx';
import { Events } from './events.tsx';
import { LearningCurve } from './learning-curve.tsx';
import { RewardComponents } from './reward-components.tsx';
import { Trajectories } from './trajectories.tsx';

/** One job: how it learns, what it has done, and what became of every request. */
export function JobView({ id }: { id: string }): preact.JSX.Element {
  const known = jobs.value;
  if (known === undefined) return <Skeleton lines={8} />;
  const job = known.get(id);
  if (job === undefined) return <Empty title={`There is no job ${id}`}>It may have been created on another cluster.</Empty>;
  return (
    <>
      <div class="view-head">
        <div>
          <p class="crumbs">
            <a href={hrefTo(['jobs'])}>Jobs</a>
          </p>
          <h1>
            {id} <StateBadge state={job.state} />
          </h1>
        </div>
        <JobActions job={job} />
      </div>
      <Waiting job={job} />
      <JobFigures job={job} />
      <LearningCurve job={job} />
      <div class="columns">
        <Accounting job={job} />
        <RewardComponents job={job} />
      </div>
      <Evaluations job={job} />
      <Trajectories job={job} />
      <Events job={job} />
    </>
  );
}

function Waiting({ job }: { job: Job }): preact.JSX.Element | null {
  if (job.error !== undefined)
    return (
      <p class="callout callout-bad" role="alert">
        {job.error}
      </p>
    );
  const words = job.queueReason ?? job.waitingFor;
  if (words === undefined || isOver(job.state)) return null;
  return <p class="callout">Waits for {words}</p>;
}

function JobFigures({ job }: { job: Job }): preact.JSX.Element {
  const { progress } = job;
  const over = isOver(job.state);
  return (
    <Stats>
      <Stat name="Round" note={`of ${progress?.roundsTotal ?? '–'}`}>
        {progress?.round ?? 0}
      </Stat>
      <Stat name="Held-out success" note={job.bestCheckpoint && `best at ${job.bestCheckpoint.version ?? 0}`}>
        {percent(heldOut(job))}
      </Stat>
      <Stat name="Reward" note="last round">
        {figure(progress?.reward)}
      </Stat>
      <Stat name="Trajectories a second">{over ? '–' : figure(progress?.trajectoriesPerSecond)}</Stat>
      <Stat name="Staleness" note="versions">
        {figure(progress?.staleness, 2)}
      </Stat>
      <Stat
        name={over ? 'Trained for' : 'Left'}
        note={over ? `ended ${ago(job.endTime)}` : `after ${duration(progress?.trainSeconds)}`}
      >
        {over ? duration(progress?.trainSeconds) : duration(progress?.etaSeconds)}
      </Stat>
    </Stats>
  );
}
