import { causesOf, nameOfFault, seconds, textOf, type TraceEvent } from '../../trace.ts';
import { familyOf } from './colours.ts';
import { button, element } from './dom.ts';
import type { Session } from './session.ts';

/** Causes that are listed. */
const LISTED = 60;

/** The panel beside the timeline: the selected event, how it came about, and the faults. */
export function showDetails(session: Session, place: HTMLElement): void {
  const receivers = receiversOf(session.run.events);
  const selected = element('section', { className: 'event', 'aria-live': 'polite' });
  const causes = element('section', { className: 'causes' });
  place.append(selected, causes, faultList(session));
  const draw = (): void => {
    const event = session.selectedEvent;
    selected.replaceChildren(...(event === undefined ? ['This run has no events.'] : about(session, event, receivers)));
    causes.replaceChildren(...(event === undefined ? [] : history(session, event)));
  };
  session.onChange(draw);
  draw();
}

function about(session: Session, event: TraceEvent, receivers: ReadonlyMap<number, number[]>): Node[] {
  const { index, at, lane, kind, from, fault, lost } = event;
  const { run, rowOf } = session;
  const arrivals = (receivers.get(index) ?? []).map((to) => run.events[to]!);
  const injected = run.faults.find(({ id }) => id === fault);
  const facts: [string, (Node | string)[]][] = [
    ['Event', [`${index} of ${run.events.length - 1}`]],
    ['Time', [seconds(at)]],
    ['Where', [lane]],
  ];
  if (from !== undefined && run.events[from] !== undefined) facts.push(['Sent by', [link(session, run.events[from])]]);
  if (arrivals.length > 0) facts.push(['Leads to', arrivals.map((each) => link(session, each))]);
  if (lost === true) facts.push(['Outcome', [element('strong', { className: 'lost', textContent: 'lost: it never arrives' })]]);
  if (fault !== undefined)
    facts.push(['Fault', [`${nameOfFault(run, fault)}${injected === undefined ? '' : `: ${injected.text} (${fault})`}`]]);
  return [
    element('h2', {}, element('span', { className: `kind ${familyOf(event)}`, textContent: kind })),
    element('p', { className: 'text', textContent: textOf(run, event) }),
    element('dl', {}, ...facts.flatMap(([name, value]) => [element('dt', { textContent: name }), element('dd', {}, ...value)])),
    ...(rowOf[index] === -1
      ? [
          element('p', { className: 'hidden' }, 'The filters hide this event. '),
          button('Show everything', 'Remove all filters', () => session.showEverything()),
        ]
      : []),
  ];
}

/** What the event follows from, the nearest first. */
function history(session: Session, event: TraceEvent): Node[] {
  const causes = causesOf(session.run, event, LISTED + 1);
  const chain = [event, ...causes.slice(0, LISTED)];
  const lines = chain.map((each, i) => {
    const how = i === 0 ? 'selected' : howItLed(each, chain[i - 1]!);
    return element('li', {}, link(session, each), element('span', { className: 'how', textContent: how }));
  });
  const earlier =
    causes.length > LISTED ? [element('li', { className: 'how', textContent: 'earlier causes are not listed' })] : [];
  return [
    element('h2', { textContent: 'How it came about' }),
    causes.length === 0
      ? element('p', { className: 'how', textContent: 'Nothing in the trace led to it.' })
      : element('ol', {}, ...lines, ...earlier),
  ];
}

function howItLed({ index, lane }: TraceEvent, { lane: next, from, kind }: TraceEvent): string {
  if (from === index) return next === lane ? 'before that, in the same place' : `sent to ${next}`;
  return kind === 'violation' ? 'the last event before that' : `the last to arrive at ${lane} before that`;
}

function faultList(session: Session): HTMLElement {
  const { faults, events } = session.run;
  const lines = faults.map(({ id, text, at, untilMs }) => {
    const first = events.find(({ fault }) => fault === id) ?? events.find((event) => event.at >= at);
    const name = nameOfFault(session.run, id);
    const until = untilMs === undefined ? '' : ` to ${seconds(untilMs)}`;
    const title = button(text, `Go to fault ${name}`, () => session.select(first?.index));
    title.className = 'link';
    const when = element('span', { className: 'how', textContent: `${seconds(at)}${until}` });
    return element('li', {}, element('span', { className: 'badge', textContent: name }), title, when);
  });
  return element(
    'section',
    { className: 'faults' },
    element('h2', { textContent: `Injected faults (${faults.length})` }),
    faults.length === 0 ? element('p', { className: 'how', textContent: 'None.' }) : element('ul', {}, ...lines),
  );
}

function link(session: Session, event: TraceEvent): HTMLElement {
  const { index, lane, kind } = event;
  const created = button('', `Go to event ${index}`, () => session.select(index));
  created.className = 'link';
  created.append(element('b', { textContent: lane }), ` ${kind} `, element('span', { textContent: textOf(session.run, event) }));
  return created;
}

/** Indices of the events at which what an event sent arrives. */
function receiversOf(events: readonly TraceEvent[]): Map<number, number[]> {
  const receivers = new Map<number, number[]>();
  for (const { index, from } of events) {
    if (from === undefined) continue;
    const known = receivers.get(from);
    if (known === undefined) receivers.set(from, [index]);
    else known.push(index);
  }
  return receivers;
}
