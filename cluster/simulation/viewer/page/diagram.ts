import { causesOf, nameOfFault, type TraceEvent } from '../../trace.ts';
import { drawArrow, drawLost } from './arrows.ts';
import { familyOf, type Colours } from './colours.ts';
import { faultBarsOf } from './fault-bars.ts';
import { FAULT_BAR, laneX, ROW, type Geometry } from './geometry.ts';
import { outagesOf } from './outages.ts';
import type { Session } from './session.ts';

/** Causes of the selected event that are drawn as its history. */
const HISTORY = 200;
const DOT = 4;
/** Messages that arrive so many rows later are drawn from end to end. */
const WHOLE = 10;

/** Draws the lanes, the events in them and the messages between them, for the rows in view. */
export class Diagram {
  readonly faultBars;
  readonly #outages;
  /** Events at which something sent arrives. */
  readonly #arrivals: { from: number; to: number }[];
  /** Those at which a message from another lane is lost. */
  readonly #crossed: ReadonlySet<number>;
  /** What was lost on its way to a lane that the trace does not tell. */
  readonly #lost: TraceEvent[];

  constructor(
    readonly session: Session,
    readonly colours: Colours,
  ) {
    const { run } = session;
    this.faultBars = faultBarsOf(run.faults);
    this.#outages = outagesOf(run);
    this.#arrivals = run.events.flatMap(({ index, from, lane, lost }) => {
      const sender = from === undefined ? undefined : run.events[from];
      return sender === undefined || (lost === true && sender.lane === lane) ? [] : [{ from: sender.index, to: index }];
    });
    this.#crossed = new Set(this.#arrivals.flatMap(({ to }) => (run.events[to]!.lost === true ? [to] : [])));
    this.#lost = run.events.filter(
      ({ lost, lane, from }) => lost === true && (from === undefined || run.events[from]?.lane === lane),
    );
  }

  /** Draws rows `first` to `end`, without it, at the top of the canvas. */
  draw(context: CanvasRenderingContext2D, geometry: Geometry, { first, end }: { first: number; end: number }): void {
    const { session } = this;
    const lanes = new Map(session.lanes.map((lane, i) => [lane, laneX(geometry, i)]));
    const view: View = { context, geometry, first, end, lanes, y: (row) => (row - first + 0.5) * ROW };
    this.#drawFaults(view);
    this.#drawLanes(view);
    this.#drawOutages(view);
    const history = new Set([session.selected]);
    const { selectedEvent } = session;
    if (selectedEvent !== undefined) for (const { index } of causesOf(session.run, selectedEvent, HISTORY)) history.add(index);
    this.#drawMessages(view, history);
    for (let row = first; row < end; row += 1) this.#drawEvent(view, row, history);
  }

  #drawFaults({ context, geometry, first, end }: View): void {
    for (const { fault, untilMs, bar } of this.faultBars.bars) {
      const [from, to] = this.session.rowsBetween(fault.at, untilMs);
      if (to <= first || from >= end) continue;
      const [top, bottom] = [(Math.max(from, first) - first) * ROW, (Math.min(to, end) - first) * ROW];
      context.fillStyle = this.colours.get('fault-band');
      context.fillRect(0, top, geometry.width, bottom - top);
      context.fillStyle = this.colours.get('fault');
      context.fillRect(bar * FAULT_BAR + 1, top, FAULT_BAR - 2, bottom - top);
      this.#nameFault(context, nameOfFault(this.session.run, fault.id), { x: (bar + 0.5) * FAULT_BAR, top, bottom });
    }
  }

  /** The fault's name, upright in its bar, often enough that one is in view. */
  #nameFault(
    context: CanvasRenderingContext2D,
    name: string,
    { x, top, bottom }: { x: number; top: number; bottom: number },
  ): void {
    context.fillStyle = this.colours.get('background');
    context.font = '600 11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    const length = context.measureText(name).width;
    for (let y = top + 6; y + length < bottom; y += 12 * ROW) {
      context.save();
      context.translate(x, y);
      context.rotate(Math.PI / 2);
      context.fillText(name, 0, 0);
      context.restore();
    }
  }

  #drawLanes({ context, lanes, first, end }: View): void {
    context.lineWidth = 1;
    context.strokeStyle = this.colours.get('lane');
    for (const x of lanes.values()) {
      context.beginPath();
      context.moveTo(Math.round(x) + 0.5, 0);
      context.lineTo(Math.round(x) + 0.5, (end - first) * ROW);
      context.stroke();
    }
  }

  #drawOutages({ context, geometry, lanes, first, end, y }: View): void {
    const width = Math.min(22, geometry.laneWidth - 8);
    for (const { lane, kind, from, to } of this.#outages) {
      const x = lanes.get(lane);
      if (x === undefined || this.session.rows.length === 0) continue;
      const [top, bottom] = [
        this.session.nearestRow(from),
        to >= this.session.run.events.length ? end : this.session.nearestRow(to),
      ];
      if (bottom < first || top >= end) continue;
      const [from_, to_] = [Math.max(0, y(top)), Math.min((end - first) * ROW, y(bottom))];
      context.fillStyle = this.colours.get(kind === 'crash' ? 'down' : 'still');
      context.fillRect(x - width / 2, from_, width, to_ - from_);
    }
  }

  #drawMessages(view: View, history: ReadonlySet<number>): void {
    const { rowOf, run } = this.session;
    const later: (() => void)[] = [];
    for (const { from, to } of this.#arrivals) {
      const [a, b] = [rowOf[from]!, rowOf[to]!];
      if (a === -1 || b === -1 || b < view.first || a >= view.end) continue;
      const marked = history.has(from) && history.has(to);
      const ends = {
        x1: view.lanes.get(run.events[from]!.lane),
        y1: view.y(a),
        x2: view.lanes.get(run.events[to]!.lane),
        y2: view.y(b),
      };
      const { x1, y1, x2, y2 } = ends;
      if (x1 === undefined || x2 === undefined) continue;
      const lost = run.events[to]!.lost === true;
      const colour = lost ? 'danger' : marked ? 'history' : familyOf(run.events[to]!);
      const draw = (): void =>
        drawArrow(
          view.context,
          { x1, y1, x2, y2 },
          { colour: this.colours.get(colour), marked, lost, whole: marked || b - a <= WHOLE },
        );
      if (marked) later.push(draw);
      else draw();
    }
    for (const draw of later) draw();
    for (const { index, lane } of this.#lost) {
      const [row, x] = [rowOf[index]!, view.lanes.get(lane)];
      if (row < view.first || row >= view.end || x === undefined) continue;
      const right = x + 34 < view.geometry.width;
      drawLost(view.context, { x, y: view.y(row), towards: right ? 1 : -1 }, this.colours.get('danger'));
    }
  }

  #drawEvent({ context, lanes, y }: View, row: number, history: ReadonlySet<number>): void {
    const event = this.session.run.events[this.session.rows[row]!]!;
    const x = lanes.get(event.lane);
    if (x === undefined) return;
    const selected = event.index === this.session.selected;
    const violation = event.kind === 'violation';
    // Where a message from another lane is lost, there is the cross at the end of its arrow.
    if (!this.#crossed.has(event.index)) {
      context.beginPath();
      context.arc(x, y(row), violation ? DOT + 3 : DOT, 0, 2 * Math.PI);
      context.fillStyle = this.colours.get(familyOf(event));
      context.fill();
    }
    if (!selected && !history.has(event.index)) return;
    context.lineWidth = 2;
    context.strokeStyle = this.colours.get('history');
    context.beginPath();
    context.arc(x, y(row), (violation ? DOT + 3 : DOT) + (selected ? 4 : 2.5), 0, 2 * Math.PI);
    context.stroke();
  }
}

/** What is being drawn where. */
interface View {
  context: CanvasRenderingContext2D;
  geometry: Geometry;
  first: number;
  end: number;
  /** Middle of each lane that is shown. */
  lanes: Map<string, number>;
  /** Middle of a row. */
  y: (row: number) => number;
}
