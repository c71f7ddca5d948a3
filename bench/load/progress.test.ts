import { expect, it } from 'vitest';
import { createProgress } from './progress.ts';

function stream(isTTY: boolean): { isTTY: boolean; columns: number; write: (text: string) => void; text: string } {
  const made = { isTTY, columns: 30, text: '', write: (text: string) => void (made.text += text) };
  return made;
}

it('rewrites one line of a terminal, cut to its width, and leaves it empty', () => {
  const terminal = stream(true);
  let now = 0;
  const progress = createProgress({ stream: terminal, now: () => now });
  progress.say('one');
  progress.say('too soon to be seen');
  now += 1000;
  progress.say('two, which is longer than the terminal is wide');
  progress.note('a note');
  now += 1000;
  progress.say('three');
  progress.close();
  expect(terminal.text).toBe(
    '\r\u001b[2Kone\r\u001b[2Ktwo, which is longer than th…\r\u001b[2Ka note\n\r\u001b[2Kthree\r\u001b[2K',
  );
});

it('says a line every few seconds where lines cannot be rewritten', () => {
  const file = stream(false);
  let now = 0;
  const progress = createProgress({ stream: file, now: () => now });
  for (; now < 11_000; now += 1000) progress.say(`at ${now / 1000} s`);
  progress.close();
  expect(file.text).toBe('at 0 s\nat 5 s\nat 10 s\n');
});
