import { createInterface } from 'node:readline';
import { MillraceError } from '../../src/errors.ts';
import type { CliContext } from './context.ts';

/** Help of `--yes`. */
export const YES = 'do not ask; what is removed cannot be restored';

/**
 * Returns when `what`, e.g. "Deleting schedule nightly", may be done: with `--yes`, or when someone at a terminal agrees.
 * @throws MillraceError invalid_argument about `--yes` where nobody can be asked: without a terminal, with `-o json` or `--quiet`;
 * cancelled when the answer is no.
 */
export async function confirm(what: string, yes: boolean | undefined, context: CliContext): Promise<void> {
  if (yes === true) return;
  const { stdin, stderr, json, signal } = context;
  if (json || stdin?.isTTY !== true || stderr.isTTY !== true)
    throw new MillraceError('invalid_argument', `${what} cannot be undone; give --yes to do it.`, { field: '--yes' });
  stderr.write(`${what} cannot be undone. Do it? [y/N] `);
  const answer = await firstLine(stdin, signal);
  if (!/^y(es)?$/i.test(answer.trim())) throw new MillraceError('cancelled', 'Not confirmed; nothing was changed.');
}

/** The next line of a stream; empty at its end, and when the command is interrupted. */
async function firstLine(stream: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input: stream, signal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}
