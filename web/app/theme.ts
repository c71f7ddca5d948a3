import { signal } from '@preact/signals';

/** `system`: as the machine has it. */
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'millrace-theme';
const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };

/** What was chosen. */
export const theme = signal<Theme>('system');

/** Reads the choice that was kept, and shows it. */
export function applyTheme(): void {
  const kept = localStorage.getItem(KEY);
  show(kept === 'light' || kept === 'dark' ? kept : 'system');
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (theme.value = 'system' as Theme));
}

/** Chooses the next of the three. */
export function nextTheme(): void {
  show(NEXT[theme.value]);
  localStorage.setItem(KEY, theme.value);
}

function show(chosen: Theme): void {
  theme.value = chosen;
  if (chosen === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = chosen;
}
