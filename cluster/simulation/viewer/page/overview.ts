import type { Colours } from './colours.ts';
import { beforeNextFrame, contextOf, element } from './dom.ts';
import type { Session } from './session.ts';

/** Room on both sides for half of the slider's thumb. */
const PADDING = 7;
const HEIGHT = 30;

/** The whole run as a strip with a slider: faults as bands, what was lost, what was found, and the violation. */
export function showOverview(session: Session, colours: Colours, place: HTMLElement): () => void {
  const canvas = element('canvas', { 'aria-hidden': 'true' });
  const slider = element('input', { type: 'range', min: '0', step: '1', 'aria-label': 'Position in the run' });
  place.append(canvas, slider);
  slider.addEventListener('input', () => session.selectRow(Number(slider.value)));
  const lost = session.run.events.flatMap(({ index, lost }) => (lost === true ? [index] : []));
  const redraw = beforeNextFrame(() => draw(session, colours, { canvas, lost, width: place.clientWidth }));
  const update = (): void => {
    slider.max = String(Math.max(0, session.rows.length - 1));
    slider.value = String(session.nearestRow(session.selected));
    redraw();
  };
  session.onChange(update);
  new ResizeObserver(redraw).observe(place);
  update();
  return redraw;
}

interface Strip {
  canvas: HTMLCanvasElement;
  width: number;
  /** Indices of the events whose message never arrives. */
  lost: readonly number[];
}

function draw(session: Session, colours: Colours, { canvas, width, lost }: Strip): void {
  const context = contextOf(canvas, width, HEIGHT);
  const { run, rows, rowOf, matches, violation } = session;
  const x = (row: number): number => PADDING + ((width - 2 * PADDING) * row) / Math.max(1, rows.length - 1);
  context.fillStyle = colours.get('fault-strip');
  for (const { at, untilMs } of run.faults) {
    const [from, to] = session.rowsBetween(at, untilMs ?? at);
    const width = untilMs === undefined ? 0 : x(to - 1) - x(from);
    if (from < rows.length) context.fillRect(x(from), 0, Math.max(2, width), HEIGHT);
  }
  const ticks = (indices: readonly number[], colour: string, [top, height]: [number, number]): void => {
    context.fillStyle = colours.get(colour);
    for (const index of indices) if (rowOf[index] !== -1) context.fillRect(x(rowOf[index]!) - 0.5, top, 1.5, height);
  };
  ticks(lost, 'danger', [HEIGHT - 7, 7]);
  ticks(matches, 'history', [0, 9]);
  if (violation !== undefined && rowOf[violation] !== -1) {
    context.fillStyle = colours.get('danger');
    context.fillRect(x(rowOf[violation]!) - 1.5, 0, 3, HEIGHT);
  }
}
