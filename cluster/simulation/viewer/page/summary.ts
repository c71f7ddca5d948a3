import type { TraceOfRun } from '../../trace.ts';
import { button, element } from './dom.ts';

const COPIED_MS = 1500;

/** The head of the page: how the run ended, and how to run it again. */
export function showSummary({ seed, commit, command, outcome, reason, job }: TraceOfRun, place: HTMLElement): void {
  const code = element('code', { id: 'command', textContent: command });
  const copy = button('Copy', 'Copy the command', () => void copied(code, copy));
  place.append(
    element('span', { className: `outcome ${outcome}`, textContent: outcome }),
    element('div', { className: 'what' }, element('h1', { textContent: reason ?? job }), facts({ seed, commit, job })),
    element('div', { className: 'replay' }, element('span', { textContent: 'Run it again' }), code, copy),
  );
}

function facts(of: Record<string, string | number>): HTMLElement {
  const each = Object.entries(of).map(([name, value]) =>
    element('span', {}, `${name} `, element('b', { textContent: String(value) })),
  );
  return element('div', { className: 'facts' }, ...each);
}

async function copied(code: HTMLElement, copy: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(code.textContent);
    copy.textContent = 'Copied';
  } catch {
    // The browser does not let the page write there: what is selected is one key away.
    getSelection()?.selectAllChildren(code);
    copy.textContent = 'Selected';
  }
  setTimeout(() => (copy.textContent = 'Copy'), COPIED_MS);
}
