import { button, element } from './dom.ts';
import { filterMenu } from './filter-menu.ts';
import type { Session } from './session.ts';

/** The row of controls: steps, filters and the search. Returns the field of the search. */
export function showTools(session: Session, place: HTMLElement): HTMLInputElement {
  const { violation, run } = session;
  const field = element('input', { type: 'search', placeholder: 'Search text, lane, kind, fault', 'aria-label': 'Search' });
  const found = element('span', { className: 'found', id: 'found' });
  const where = element('span', { className: 'where', id: 'where' });
  field.addEventListener('input', () => search(session, field.value));
  field.addEventListener('keydown', ({ key, shiftKey }) => {
    if (key === 'Enter') session.stepAmong(session.matches, shiftKey ? -1 : 1);
    if (key === 'Escape') field.blur();
  });
  const toEnd = button('violation', 'Go to the violation (v)', () => session.select(violation));
  toEnd.disabled = violation === undefined;
  place.append(
    group(
      button('◀', 'Previous event (left or up arrow)', () => session.step(-1)),
      'event',
      button('▶', 'Next event (right or down arrow)', () => session.step(1)),
    ),
    group(
      button('◀', 'Previous fault (shift + left arrow)', () => session.stepAmong(session.faults, -1)),
      'fault',
      button('▶', 'Next fault (shift + right arrow)', () => session.stepAmong(session.faults, 1)),
    ),
    group(toEnd),
    filterMenu(
      session,
      'Lanes',
      run.lanes.map((lane) => ({ name: lane })),
      session.hiddenLanes,
    ),
    filterMenu(
      session,
      'Kinds',
      [...session.kinds].map(([name, count]) => ({ name, count })),
      session.hiddenKinds,
    ),
    toggle(session, 'only what led to the end', 'onlyCauses'),
    where,
    element('span', { className: 'spring' }),
    group(found, field, toggle(session, 'only matches', 'onlyMatches')),
  );
  const draw = (): void => {
    const { matches, query, rows, selected } = session;
    const position = matches.indexOf(selected) + 1;
    found.textContent = query.trim() === '' ? '' : `${position === 0 ? '' : `${position} of `}${matches.length} found`;
    where.textContent = rows.length < run.events.length ? `${rows.length} of ${run.events.length} shown` : '';
  };
  session.onChange(draw);
  draw();
  return field;
}

function search(session: Session, query: string): void {
  session.show(() => (session.query = query));
  const { matches, selected } = session;
  if (matches.length > 0 && !matches.includes(selected)) session.select(matches.find((index) => index >= selected) ?? matches[0]);
}

function toggle(session: Session, label: string, name: 'onlyCauses' | 'onlyMatches'): HTMLElement {
  const box = element('input', { type: 'checkbox' });
  box.addEventListener('change', () => session.show(() => (session[name] = box.checked)));
  session.onChange(() => (box.checked = session[name]));
  return element('label', { className: 'toggle' }, box, label);
}

function group(...children: (HTMLElement | string)[]): HTMLElement {
  return element('span', { className: 'group' }, ...children);
}
