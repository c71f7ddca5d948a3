import { records, runQuery } from '../api/rpc.ts';
import type { Job } from '../api/types.ts';
import { Chart, type Line } from '../parts/chart.tsx';
import { useLoaded } from '../parts/load.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';

type Row = { to_version: number; component: string; mean_of_successes: number | null; mean_of_failures: number | null };
const COLOURS = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5'];

/** What the parts of the reward are worth, for trajectories that succeed and for those that do not. */
export function RewardComponents({ job }: { job: Job }): preact.JSX.Element {
  const loaded = useLoaded((signal) => runQuery('reward-components', job.id, {}, signal), [job.id], job.progress?.round);
  return (
    <Panel title="Reward components" actions={loaded.data && <SqlLink sql={loaded.data.sql} />}>
      <WhenLoaded of={loaded} lines={5}>
        {(result) => {
          const rows = records(result) as unknown as Row[];
          if (rows.length === 0)
            return <Empty title="No component is recorded">The reward of this job has no parts, or nothing is scored yet.</Empty>;
          const x = [...new Set(rows.map(({ to_version: version }) => Number(version)))];
          return (
            <Chart label="Mean of each reward component by version" x={x} xName="version" lines={linesOf(rows, x)} height={200} />
          );
        }}
      </WhenLoaded>
    </Panel>
  );
}

function linesOf(rows: readonly Row[], x: readonly number[]): Line[] {
  const names = [...new Set(rows.map(({ component }) => component))];
  return names.slice(0, COLOURS.length).flatMap((name, i) => {
    const at = new Map(rows.filter(({ component }) => component === name).map((row) => [Number(row.to_version), row]));
    const of = (field: 'mean_of_successes' | 'mean_of_failures'): (number | null)[] =>
      x.map((version) => at.get(version)?.[field] ?? null);
    return [
      { name: `${name}, successes`, colour: COLOURS[i]!, values: of('mean_of_successes'), points: true },
      { name: `${name}, failures`, colour: COLOURS[i]!, values: of('mean_of_failures'), points: true, thin: true, dashed: true },
    ];
  });
}
