import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { theme } from '../app/theme.ts';

/** A line of a chart. `colour` names a token of the stylesheet. */
export interface Line {
  name: string;
  colour: string;
  values: readonly (number | null)[];
  /** Marks the points, for values that are far apart. */
  points?: boolean;
  /** The interval of each point. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
  thin?: boolean;
  dashed?: boolean;
}

/** What a {@link Chart} shows. */
export interface ChartProps {
  /** What the chart says, for who does not see it. */
  label: string;
  x: readonly number[];
  xName: string;
  lines: readonly Line[];
  height?: number;
  /** Bounds of the vertical axis. Default: those of the values. */
  range?: [number, number];
  percent?: boolean;
}

/** Lines over numbers. Dragging over it shows a part; a double click shows all again. */
export function Chart(props: ChartProps): preact.JSX.Element {
  const { label, lines, height = 220 } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  // What changes how it looks makes a new one; new values do not.
  const looks = `${theme.value} ${lines.map(({ name, low }) => `${name}${low ? '±' : ''}`).join()} ${height}`;
  useEffect(() => {
    const element = place.current!;
    const made = new uPlot(optionsOf(props, element.clientWidth || 600), dataOf(props), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [looks]);
  useEffect(() => plot.current?.setData(dataOf(props)), [props.x, lines]);
  return (
    <figure class="chart">
      <div ref={place} role="img" aria-label={label} style={{ minHeight: `${height}px` }} />
      <figcaption>
        {lines.map(({ name, colour, low, dashed }) => (
          <span key={name} class="legend-entry">
            <i class={dashed ? 'dashed' : ''} style={{ color: `var(--${colour})` }} aria-hidden="true" />
            {name}
            {low !== undefined && <span class="muted"> with 95 % interval</span>}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** Each line, and after it the ends of its interval where it has one. */
function dataOf({ x, lines }: ChartProps): uPlot.AlignedData {
  const series = lines.flatMap(({ values, low, high }) => (low && high ? [values, low, high] : [values]));
  return [x as number[], ...series.map((values) => values as (number | null)[])];
}

function optionsOf({ lines, xName, height = 220, range, percent = false }: ChartProps, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const series: uPlot.Series[] = [{ label: xName }];
  const bands: uPlot.Band[] = [];
  for (const { name, colour, points = false, low, high, thin = false, dashed = false } of lines) {
    const stroke = token(colour);
    series.push({
      label: name,
      stroke,
      width: thin ? 1 : 2,
      ...(dashed && { dash: [5, 4] }),
      spanGaps: true,
      points: { show: points, size: 6, fill: stroke },
    });
    if (low === undefined || high === undefined) continue;
    const at = series.length;
    for (const end of ['low', 'high'])
      series.push({ label: `${name}, ${end}`, stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } });
    bands.push({ series: [at + 1, at], fill: `${stroke}2b` });
  }
  const axis: uPlot.Axis = {
    stroke: token('text-muted'),
    font: `11px ${token('font')}`,
    grid: { stroke: token('line'), width: 1 },
    ticks: { show: false },
  };
  return {
    ...{ width, height, series, bands },
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: false }, ...(range && { y: { range: () => range } }) },
    axes: [
      { ...axis, size: 26, label: xName, labelSize: 16, labelGap: 0, labelFont: `11px ${token('font')}`, grid: { show: false } },
      { ...axis, size: 52, values: (_, ticks) => ticks.map((tick) => (percent ? `${Math.round(tick * 100)} %` : compact(tick))) },
    ],
  };
}

function compact(value: number | null): string {
  return value === null ? '' : value.toLocaleString('en-GB', { notation: 'compact', maximumSignificantDigits: 4 });
}
