import type { Session } from './session.ts';

/** Rows that page up and page down move by. */
const PAGE = 20;

/** Keys of the whole page; those typed into a field stay there. */
export function listenForKeys(session: Session, field: HTMLInputElement): void {
  const rows: Record<string, () => void> = {
    ArrowLeft: () => session.step(-1),
    ArrowUp: () => session.step(-1),
    ArrowRight: () => session.step(1),
    ArrowDown: () => session.step(1),
    PageUp: () => session.step(-PAGE),
    PageDown: () => session.step(PAGE),
    Home: () => session.selectRow(0),
    End: () => session.selectRow(session.rows.length - 1),
    v: () => session.select(session.violation),
    '/': () => field.focus(),
  };
  const withShift: Record<string, () => void> = {
    ArrowLeft: () => session.stepAmong(session.faults, -1),
    ArrowRight: () => session.stepAmong(session.faults, 1),
  };
  document.addEventListener('keydown', (event) => {
    if (event.target === field || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = (event.shiftKey ? withShift : rows)[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}
