import { useState } from 'preact/hooks';
import type { QueryRows } from '../api/types.ts';
import { Chart } from '../parts/chart.tsx';
import { text } from '../parts/format.ts';
import { Empty } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';

/** Rows that the page shows at most. */
const SHOWN = 500;
const COLOURS = ['series-1', 'series-2', 'series-3', 'series-4', 'series-5'];
const NUMBER = /^(Nullable\()?(U?Int|Float|Decimal)/;

/** Rows as a table, or as lines over the first column. */
export function Result({ result }: { result: QueryRows }): preact.JSX.Element {
  const [plotted, setPlotted] = useState(false);
  const numbers = result.columns.map(({ type }) => NUMBER.test(type));
  const canPlot = numbers[0] === true && numbers.filter(Boolean).length > 1 && result.rows.length > 1;
  if (result.rows.length === 0) return <Empty title="No rows" />;
  return (
    <>
      {canPlot && (
        <div class="switch" role="group" aria-label="Show as">
          {[false, true].map((plot) => (
            <button
              key={String(plot)}
              type="button"
              class="button"
              aria-pressed={plotted === plot}
              onClick={() => setPlotted(plot)}
            >
              {plot ? 'Plot' : 'Table'}
            </button>
          ))}
        </div>
      )}
      {plotted && canPlot ? <Plot result={result} numbers={numbers} /> : <Rows result={result} numbers={numbers} />}
    </>
  );
}

function Rows({ result, numbers }: { result: QueryRows; numbers: readonly boolean[] }): preact.JSX.Element {
  return (
    <>
      <Table
        label="Result"
        keyOf={(_, at) => String(at)}
        entries={result.rows.slice(0, SHOWN)}
        columns={result.columns.map(({ name }, i) => ({
          name,
          right: numbers[i] === true,
          cell: (row: unknown[]) => <span class="cell">{text(row[i])}</span>,
        }))}
      />
      {result.rows.length > SHOWN && <p class="muted">The first {SHOWN} rows are shown.</p>}
    </>
  );
}

function Plot({ result, numbers }: { result: QueryRows; numbers: readonly boolean[] }): preact.JSX.Element {
  const rows = [...result.rows].sort((a, b) => Number(a[0]) - Number(b[0]));
  const columns = result.columns.map(({ name }, i) => ({ name, i })).filter(({ i }) => i > 0 && numbers[i]);
  const number = (value: unknown): number | null => (value === null || value === undefined ? null : Number(value));
  const lines = columns
    .slice(0, COLOURS.length)
    .map(({ name, i }, at) => ({ name, colour: COLOURS[at]!, values: rows.map((row) => number(row[i])) }));
  const x = result.columns[0]!.name;
  return (
    <Chart
      label={`${lines.map(({ name }) => name).join(', ')} by ${x}`}
      x={rows.map((row) => Number(row[0]))}
      xName={x}
      lines={lines}
      height={300}
    />
  );
}
