import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { confirm } from './confirm.ts';
import type { CliContext, CliInput } from './context.ts';

const context = (typed: string, options: { tty?: boolean; json?: boolean; signal?: AbortSignal } = {}) => {
  const { tty = true, json = false, signal = new AbortController().signal } = options;
  const written: string[] = [];
  const stdin: CliInput = Object.assign(Readable.from([typed]), { isTTY: tty });
  const stderr = { write: (text: string) => written.push(text), isTTY: tty };
  return { written, context: { stdin, stderr, json, signal } as unknown as CliContext };
};

describe('confirm', () => {
  it('asks at a terminal, and goes on after yes alone', async () => {
    for (const typed of ['y\n', 'Yes\n', ' y \nmore\n']) {
      const { written, context: terminal } = context(typed);
      await confirm('Deleting x', undefined, terminal);
      expect(written).toEqual(['Deleting x cannot be undone. Do it? [y/N] ']);
    }
    for (const typed of ['n\n', '\n', '', 'yess\n'])
      await expect(confirm('Deleting x', false, context(typed).context)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('refuses where nobody can be asked, and does not read', async () => {
    for (const options of [{ tty: false }, { json: true }]) {
      const { written, context: script } = context('y\n', options);
      const refused = confirm('Deleting x', false, script);
      await expect(refused).rejects.toMatchObject({ code: 'invalid_argument', field: '--yes', message: /give --yes/ });
      expect([written, (script.stdin as Readable).readableDidRead]).toEqual([[], false]);
    }
  });

  it('asks nothing with --yes', async () => {
    const { written, context: script } = context('n\n', { tty: false });
    await confirm('Deleting x', true, script);
    expect(written).toEqual([]);
  });
});
