import type { Job } from '../api/types.ts';
import { hrefTo } from '../app/router.ts';
import { isOver, StateBadge } from '../parts/badge.tsx';
import { Meter } from '../parts/bar.tsx';
import { ago, duration, figure, percent } from '../parts/format.ts';
import { Table, type Column } from '../parts/table.tsx';

/** The newest held-out success of the trained policy. */
export function heldOut({ evaluations = [] }: Job): number | undefined {
  const last = evaluations.filter(({ name }) => name === 'trained').at(-1);
  const judged = (last?.tasks ?? 0) - (last?.failed ?? 0);
  return judged > 0 ? (last?.successes ?? 0) / judged : undefined;
}

const COLUMNS: readonly Column<Job>[] = [
  { name: 'Job', head: true, cell: ({ id }) => <a href={hrefTo(['jobs', id])}>{id}</a> },
  { name: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  {
    name: 'Rounds',
    cell: ({ id, progress }) => (
      <span class="with-meter">
        <Meter label={`Rounds of ${id}`} share={(progress?.round ?? 0) / (progress?.roundsTotal || 1)} />
        <span class="figure">
          {progress?.round ?? 0}/{progress?.roundsTotal ?? 0}
        </span>
      </span>
    ),
  },
  { name: 'Held out', right: true, cell: (job) => percent(heldOut(job)) },
  { name: 'Reward', right: true, wide: true, cell: ({ progress }) => figure(progress?.reward, 3) },
  {
    name: 'Traj./s',
    right: true,
    wide: true,
    cell: ({ state, progress }) => (isOver(state) ? '–' : figure(progress?.trajectoriesPerSecond, 3)),
  },
  {
    name: 'Left',
    right: true,
    wide: true,
    cell: ({ state, progress }) => (isOver(state) ? '–' : duration(progress?.etaSeconds)),
  },
  { name: 'Owner', wide: true, cell: ({ owner }) => owner ?? '' },
  { name: 'Created', right: true, wide: true, cell: ({ createTime }) => ago(createTime) },
];
const BRIEF = ['Job', 'State', 'Held out'];

/** Jobs, one a row. */
export function JobTable({
  label,
  jobs,
  brief = false,
  more = [],
}: {
  label: string;
  jobs: readonly Job[];
  brief?: boolean;
  more?: readonly Column<Job>[];
}): preact.JSX.Element {
  const columns = brief ? COLUMNS.filter(({ name }) => BRIEF.includes(name)) : [...COLUMNS, ...more];
  return <Table label={label} keyOf={({ id }) => id} entries={jobs} columns={columns} />;
}
