import { button, element } from './dom.ts';
import type { Session } from './session.ts';

interface Choice {
  name: string;
  /** How many events there are of it. */
  count?: number;
}

/** A menu in which each lane, or each kind, is shown or hidden. `hidden` is changed by it. */
export function filterMenu(session: Session, title: string, choices: readonly Choice[], hidden: Set<string>): HTMLElement {
  const boxes = choices.map(({ name, count }) => {
    const box = element('input', { type: 'checkbox', value: name });
    box.addEventListener('change', () => session.show(() => (box.checked ? hidden.delete(name) : hidden.add(name))));
    const only = button('only', `Show only ${name}`, () =>
      session.show(() => {
        for (const each of choices) hidden.add(each.name);
        hidden.delete(name);
      }),
    );
    const label = element(
      'label',
      {},
      box,
      name,
      count === undefined ? undefined : element('small', { textContent: `${count}` }),
    );
    return { box, line: element('div', { className: 'choice' }, label, only) };
  });
  const all = button('Show all', `Show all ${title.toLowerCase()}`, () => session.show(() => hidden.clear()));
  const summary = element('summary');
  const menu = element(
    'details',
    { className: 'menu' },
    summary,
    element('div', { className: 'choices' }, all, ...boxes.map(({ line }) => line)),
  );
  document.addEventListener('click', ({ target }) => {
    if (!menu.contains(target as Node)) menu.open = false;
  });
  menu.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') menu.open = false;
  });
  const draw = (): void => {
    for (const { box } of boxes) box.checked = !hidden.has(box.value);
    const shown = boxes.filter(({ box }) => box.checked).length;
    summary.textContent = shown === boxes.length ? `${title} (all ${shown})` : `${title} (${shown} of ${boxes.length})`;
    menu.classList.toggle('active', shown < boxes.length);
  };
  session.onChange(draw);
  draw();
  return menu;
}
