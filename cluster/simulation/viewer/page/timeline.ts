import { nameOfFault, seconds, textOf } from '../../trace.ts';
import { familyOf, type Colours } from './colours.ts';
import { Diagram } from './diagram.ts';
import { beforeNextFrame, contextOf, element } from './dom.ts';
import { geometryOf, GUTTER, laneX, ROW, type Geometry } from './geometry.ts';
import type { Session } from './session.ts';

/** Rows above and below those in view that are drawn too, so that scrolling shows no gaps. */
const OVERSCAN = 12;
/** Lanes narrower than this have their names at an angle. */
const NAMES_FIT = 84;
/** Height of the names at an angle, in CSS pixels. */
const ANGLED_HEIGHT = { least: 24, perLetter: 6.2 };

/** The list of events with the lanes in it. Only the rows in view are in the document. */
export class Timeline {
  readonly #head = element('div', { className: 'head' });
  readonly #rows = element('div', { className: 'rows', role: 'listbox', 'aria-label': 'Events' });
  readonly #canvas = element('canvas', { 'aria-hidden': 'true' });
  readonly #space = element('div', { className: 'space' }, this.#rows, this.#canvas);
  readonly #scroll = element('div', { className: 'scroll' }, this.#space);
  readonly #empty = element('p', { className: 'empty', textContent: 'No event is shown: the filters hide all of them.' });
  readonly #diagram: Diagram;
  readonly redraw = beforeNextFrame(() => this.#draw());
  /** What was selected and shown when it was last drawn: after a change, the selected event is scrolled to. */
  #drawnSelection: number | undefined;
  #drawnRows: readonly number[] = [];

  constructor(
    readonly session: Session,
    readonly colours: Colours,
    place: HTMLElement,
  ) {
    this.#diagram = new Diagram(session, colours);
    place.append(this.#head, this.#scroll, this.#empty);
    this.#scroll.addEventListener('scroll', this.redraw, { passive: true });
    this.#rows.addEventListener('click', ({ target }) => {
      const row = (target as Element).closest<HTMLElement>('.row');
      if (row !== null) session.select(Number(row.dataset['index']));
    });
    new ResizeObserver(() => {
      this.#drawnSelection = undefined;
      this.redraw();
    }).observe(this.#scroll);
    session.onChange(this.redraw);
    this.redraw();
  }

  /** First row in view, and how many are. */
  get inView(): { first: number; count: number } {
    return { first: this.#scroll.scrollTop / ROW, count: this.#scroll.clientHeight / ROW };
  }

  #draw(): void {
    const { session } = this;
    const count = session.rows.length;
    this.#space.style.height = `${(count + 1) * ROW}px`;
    this.#empty.hidden = count > 0;
    const geometry = geometryOf(this.#scroll.clientWidth, session.lanes.length, this.#diagram.faultBars.count);
    this.#drawHead(geometry);
    this.#scrollToSelected();
    const { first, count: visible } = this.inView;
    const view = {
      first: Math.max(0, Math.floor(first) - OVERSCAN),
      end: Math.min(count, Math.ceil(first + visible) + OVERSCAN),
    };
    const top = `${view.first * ROW}px`;
    this.#canvas.style.top = top;
    this.#canvas.style.left = `${GUTTER}px`;
    this.#diagram.draw(contextOf(this.#canvas, geometry.width, Math.max(1, view.end - view.first) * ROW), geometry, view);
    this.#rows.style.top = top;
    const rows = session.rows.slice(view.first, view.end);
    this.#rows.replaceChildren(...rows.map((index) => this.#row(index, geometry)));
  }

  /** Scrolls by as little as shows the selected event with a few around it. */
  #scrollToSelected(): void {
    const { selected, rowOf, rows } = this.session;
    if (selected === this.#drawnSelection && rows === this.#drawnRows) return;
    const jump = this.#drawnSelection === undefined || rows !== this.#drawnRows;
    this.#drawnSelection = selected;
    this.#drawnRows = rows;
    const row = rowOf[selected] === -1 ? this.session.nearestRow(selected) : rowOf[selected]!;
    const { first, count } = this.inView;
    const margin = Math.min(4, count / 4);
    const inside = row >= first + margin && row <= first + count - margin - 1;
    if (inside) return;
    const near = row > first - 2 * margin && row < first + count + margin;
    const wanted = jump || !near ? row - count / 2 : row < first + margin ? row - margin : row + margin + 1 - count;
    this.#scroll.scrollTop = wanted * ROW;
  }

  #drawHead(geometry: Geometry): void {
    const angled = geometry.laneWidth < NAMES_FIT;
    const names = this.session.lanes.map((lane, i) =>
      element('span', { className: 'lane', textContent: lane, title: lane, style: `left:${GUTTER + laneX(geometry, i)}px` }),
    );
    const label = (left: number, text: string): HTMLElement =>
      element('span', { className: 'label', textContent: text, style: `left:${left}px` });
    this.#head.classList.toggle('angled', angled);
    const longest = Math.max(0, ...this.session.lanes.map((lane) => lane.length));
    this.#head.style.height = angled ? `${ANGLED_HEIGHT.least + Math.min(24, longest) * ANGLED_HEIGHT.perLetter}px` : '';
    this.#head.replaceChildren(
      label(12, 'event'),
      label(74, 'time'),
      ...names,
      label(GUTTER + geometry.width + 12, 'what happened'),
    );
  }

  #row(index: number, { width }: Geometry): HTMLElement {
    const { run, selected, query, violation } = this.session;
    const event = run.events[index]!;
    const { at, kind, fault, lost, lane } = event;
    const text = textOf(run, event);
    const classes = ['row', index === selected && 'selected', index === violation && 'violation'].filter(Boolean).join(' ');
    return element(
      'div',
      { className: classes, role: 'option', 'aria-selected': index === selected, 'data-index': index, title: `${lane}: ${text}` },
      element('span', { className: 'index', textContent: String(index) }),
      element('span', { className: 'time', textContent: seconds(at) }),
      element('span', { className: 'gap', style: `width:${width}px` }),
      element('span', { className: `kind ${familyOf(event)}`, textContent: kind }),
      lost === true ? element('span', { className: 'badge lost', textContent: 'lost' }) : undefined,
      fault === undefined ? undefined : element('span', { className: 'badge', textContent: nameOfFault(run, fault) }),
      element('span', { className: 'text' }, ...marked(text, query.trim())),
    );
  }
}

/** The text with what was searched for marked in it. */
function marked(text: string, query: string): (Node | string)[] {
  const at = query === '' ? -1 : text.toLowerCase().indexOf(query.toLowerCase());
  if (at === -1) return [text];
  const end = at + query.length;
  return [text.slice(0, at), element('mark', { textContent: text.slice(at, end) }), text.slice(end)];
}
