import { readFile, writeFile } from 'node:fs/promises';
import { MillraceError } from '../../src/errors.ts';

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->` of a text. `not_found` when a marker is missing. */
export function replaceBetween(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close, from);
  if (from < 0 || to < 0) throw new MillraceError('not_found', `there is no ${open} … ${close} to write between`);
  return `${text.slice(0, from + open.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

/** The same in a file. */
export async function writeBetween(file: string, name: string, content: string): Promise<void> {
  await writeFile(file, replaceBetween(await readFile(file, 'utf8'), name, content));
}
