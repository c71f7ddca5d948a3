import {
  eventsThatMatter,
  faultEvents,
  nameOfFault,
  textOf,
  violationOf,
  type TraceEvent,
  type TraceOfRun,
} from '../../trace.ts';

/** Events that `only what led to the end` leaves, faults not counted. */
const LED_TO_THE_END = 300;

/** What is shown of a run, and which event is selected. Every part of the page draws it and changes it through these methods. */
export class Session {
  /** Indices of the events that are shown, one a row. */
  rows: number[] = [];
  /** Row of each event; -1 for one that is not shown. */
  readonly rowOf: Int32Array;
  /** Indices of the events that the search found. */
  matches: number[] = [];
  selected: number;
  query = '';
  onlyMatches = false;
  onlyCauses = false;
  readonly hiddenLanes = new Set<string>();
  readonly hiddenKinds = new Set<string>();
  /** Kinds that occur, and how often. */
  readonly kinds = new Map<string, number>();
  readonly violation: number | undefined;
  /** Indices of the events that are faults. */
  readonly faults: number[];
  readonly #searched: string[];
  readonly #matter: Set<number>;
  readonly #listeners: (() => void)[] = [];

  constructor(readonly run: TraceOfRun) {
    const { events } = run;
    this.rowOf = new Int32Array(events.length);
    for (const { kind } of [...events].sort((a, b) => a.kind.localeCompare(b.kind)))
      this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    this.violation = violationOf(run)?.index;
    this.faults = faultEvents(run).map(({ index }) => index);
    this.#matter = new Set(eventsThatMatter(run, LED_TO_THE_END).map(({ index }) => index));
    this.#searched = events.map((event) => {
      const { index, lane, kind, text, fault } = event;
      const ofFault = fault === undefined ? '' : ` ${nameOfFault(run, fault)} ${fault} ${textOf(run, event)}`;
      return `#${index} ${lane} ${kind} ${text}${ofFault}`.toLowerCase();
    });
    this.selected = this.violation ?? 0;
    this.#filter();
  }

  /** Calls `listener` after each change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get selectedEvent(): TraceEvent | undefined {
    return this.run.events[this.selected];
  }

  /** Lanes that are shown, in their order. */
  get lanes(): string[] {
    return this.run.lanes.filter((lane) => !this.hiddenLanes.has(lane));
  }

  select(index: number | undefined): void {
    if (index === undefined || this.run.events[index] === undefined) return;
    this.selected = index;
    this.#changed();
  }

  /** Selects the event in a row, or in the nearest row that there is. */
  selectRow(row: number): void {
    this.select(this.rows[Math.max(0, Math.min(this.rows.length - 1, row))]);
  }

  /** Selects an event so many rows further down; up when negative. */
  step(by: number): void {
    const row = this.nearestRow(this.selected);
    // From an event that is not shown, the next one down is the nearest row itself.
    this.selectRow(row + by - (by > 0 && this.rows[row]! > this.selected ? 1 : 0));
  }

  /** Selects the next of these events, in their order; the previous one when `by` is -1. */
  stepAmong(indices: readonly number[], by: 1 | -1): void {
    const ahead = (index: number): boolean => (by > 0 ? index > this.selected : index < this.selected);
    this.select(by > 0 ? indices.find(ahead) : indices.findLast(ahead));
  }

  /** Row of an event or, where it is not shown, of the next one that is. */
  nearestRow(index: number): number {
    const row = firstRow(this.rows, (each) => each >= index);
    return Math.max(0, Math.min(this.rows.length - 1, row));
  }

  /** Rows of the events from one virtual time to another, both in milliseconds: the first, and the one after the last. */
  rowsBetween(at: number, untilMs: number): [number, number] {
    const time = (index: number): number => this.run.events[index]!.at;
    return [firstRow(this.rows, (each) => time(each) >= at), firstRow(this.rows, (each) => time(each) > untilMs)];
  }

  /** Changes what is shown. */
  show(change: () => void): void {
    change();
    this.#filter();
    this.#changed();
  }

  showEverything(): void {
    this.show(() => {
      this.hiddenLanes.clear();
      this.hiddenKinds.clear();
      Object.assign(this, { onlyMatches: false, onlyCauses: false });
    });
  }

  #filter(): void {
    const query = this.query.trim().toLowerCase();
    const shown = this.run.events.filter(
      ({ index, lane, kind }) =>
        !this.hiddenLanes.has(lane) && !this.hiddenKinds.has(kind) && (!this.onlyCauses || this.#matter.has(index)),
    );
    const found = query === '' ? [] : shown.filter(({ index }) => this.#searched[index]!.includes(query));
    this.matches = found.map(({ index }) => index);
    this.rows = this.onlyMatches && query !== '' ? this.matches : shown.map(({ index }) => index);
    this.rowOf.fill(-1);
    for (const [row, index] of this.rows.entries()) this.rowOf[index] = row;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The first row whose event satisfies a condition that holds for all after it; the number of rows when none does. */
function firstRow(rows: readonly number[], holds: (index: number) => boolean): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(rows[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
