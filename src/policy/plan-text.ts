import type { Plan } from './plan.ts';

type Flags = Record<string, number | boolean>;

/** A plan in words, for flows that are no conversations: its text, features that are not 0, items, and what can be done. */
export function planText({ text, flags, items, actions }: Plan): string {
  const lines = text === undefined ? [] : [text];
  lines.push(...flagTexts(flags));
  items.forEach((item, index) => {
    const said = [item.text ?? '', ...flagTexts(item.flags)].filter((part) => part !== '').join(', ');
    lines.push(`[${index}] ${said}`.trimEnd());
  });
  const open = actions.map(({ tool, items: at = [], flags: own }) => {
    const about = [...at.map((index) => `[${index}]`), ...flagTexts(own)];
    return about.length === 0 ? tool : `${tool} (${about.join(', ')})`;
  });
  if (open.length > 0) lines.push(`Possible: ${open.join('; ')}`);
  return lines.join('\n');
}

function flagTexts(flags: Flags = {}): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (value === false || value === 0) return [];
    return value === true || value === 1 ? [name] : [`${name} ${value}`];
  });
}
