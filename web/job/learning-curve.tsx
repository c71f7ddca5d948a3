import { quote, records, runSql } from '../api/rpc.ts';
import type { Job } from '../api/types.ts';
import { Chart, type Line } from '../parts/chart.tsx';
import { useLoaded } from '../parts/load.ts';
import { figure, percent } from '../parts/format.ts';
import { SqlLink } from '../parts/sql-link.tsx';
import { Empty, Panel, WhenLoaded } from '../parts/states.tsx';
import { heldOutPoints, type HeldOutPoint } from './held-out.ts';

/** Points of a curve at most: more than a screen has columns show nothing more. */
const POINTS = 300;

/** Rounds of a job in at most {@link POINTS} buckets of versions. */
function roundsSql(job: string): string {
  return `WITH (SELECT max(version) FROM updates WHERE job = ${quote(job)}) AS newest
SELECT max(u.version) AS version, avg(reward_mean) AS reward, avg(success_mean) AS success, ${learned('entropy')} AS entropy,
  ${learned('kl')} AS kl, ${learned('gradient_norm')} AS gradient, avg(staleness_mean) AS staleness
FROM updates AS u
WHERE job = ${quote(job)}
GROUP BY intDiv(u.version * ${POINTS}, newest + 1)
ORDER BY version`;
}

/** A round in which no group had a signal learns nothing: its figures are 0 and mean nothing. */
const learned = (column: string): string => `if(countIf(trained > 0) = 0, NULL, avgIf(${column}, trained > 0))`;

type Round = { version: number } & Record<'reward' | 'success' | 'entropy' | 'kl' | 'gradient' | 'staleness', number | null>;

/** Success and reward by version, and what shows how the policy changes. */
export function LearningCurve({ job }: { job: Job }): preact.JSX.Element {
  const sql = roundsSql(job.id);
  const rounds = useLoaded((signal) => runSql(sql, POINTS + 1, signal), [job.id], job.progress?.round);
  return (
    <Panel title="Learning" actions={<SqlLink sql={sql} />}>
      <WhenLoaded of={rounds} lines={7}>
        {(result) => {
          const rows = records(result) as Round[];
          if (rows.length === 0) return <Empty title="No round is committed yet">The curve begins with the first.</Empty>;
          return <Curves rows={rows} evaluated={heldOutPoints(job.evaluations ?? [])} />;
        }}
      </WhenLoaded>
    </Panel>
  );
}

function Curves({ rows, evaluated }: { rows: readonly Round[]; evaluated: readonly HeldOutPoint[] }): preact.JSX.Element {
  const x = [...new Set([...rows.map(({ version }) => version), ...evaluated.map(({ version }) => version)])].sort(
    (a, b) => a - b,
  );
  const at = new Map(rows.map((row) => [row.version, row]));
  const measured = new Map(evaluated.map((point) => [point.version, point]));
  const of = (field: keyof Round): (number | null)[] => x.map((version) => at.get(version)?.[field] ?? null);
  const points = (field: 'rate' | 'low' | 'high'): (number | null)[] =>
    x.map((version) => measured.get(version)?.[field] ?? null);
  const last = evaluated.at(-1);
  const lines: Line[] = [
    { name: 'Training success', colour: 'series-1', values: of('success'), thin: true },
    {
      name: 'Held-out success',
      colour: 'series-2',
      values: points('rate'),
      low: points('low'),
      high: points('high'),
      points: true,
    },
  ];
  const small: [string, keyof Round, string][] = [
    ['Reward', 'reward', 'series-1'],
    ['Entropy', 'entropy', 'series-3'],
    ['KL', 'kl', 'series-4'],
    ['Gradient norm', 'gradient', 'series-5'],
  ];
  const held = last === undefined ? 'not measured yet' : `${percent(last.rate)} at version ${last.version}`;
  return (
    <>
      <Chart
        label={`Success by version; held out: ${held}`}
        x={x}
        xName="version"
        lines={lines}
        range={[0, 1]}
        percent
        height={260}
      />
      <div class="small-charts">
        {small.map(([name, field, colour]) => (
          <Chart
            key={name}
            label={`${name} by version, last ${figure(rows.at(-1)?.[field])}`}
            x={x}
            xName="version"
            height={140}
            lines={[{ name, colour, values: of(field), thin: true }]}
          />
        ))}
      </div>
    </>
  );
}
