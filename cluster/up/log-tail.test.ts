import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { logTail } from './log-tail.ts';

const folder = mkdtempSync(join(tmpdir(), 'log-tail-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function log(...lines: unknown[]): string {
  const path = join(folder, 'node.log');
  writeFileSync(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return path;
}

const entry = (second: number, msg: string, more = {}): object => ({
  level: 'info',
  time: `2026-01-02T03:04:0${second}.000Z`,
  msg,
  ...more,
});

describe('logTail', () => {
  it('is the last lines, for people', () => {
    const failure = entry(3, 'the node cannot continue', { level: 'fatal', err: { message: 'port 7000 is taken', stack: '…' } });
    expect(logTail(log(entry(1, 'one'), entry(2, 'two'), failure), 2)).toEqual([
      '03:04:02 info two',
      '03:04:03 fatal the node cannot continue: port 7000 is taken',
    ]);
  });

  it('leaves out what is older than the start in question', () => {
    expect(logTail(log(entry(1, 'old'), entry(5, 'new')), 9, Date.parse('2026-01-02T03:04:04Z'))).toEqual(['03:04:05 info new']);
  });

  it('shows what is no entry as it is, and long lines in part', () => {
    expect(logTail(log('Error: broken', 'x'.repeat(400)), 9)).toEqual(['Error: broken', `${'x'.repeat(300)} …`]);
  });

  it('reads only the end of a large file, from a line on', () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => entry(1, `line ${i}`));
    const tail = logTail(log(...lines), 10_000);
    expect(tail.length).toBeLessThan(5_000);
    expect([tail[0]!.startsWith('03:04:01 info line '), tail.at(-1)]).toEqual([true, '03:04:01 info line 4999']);
  });

  it('is empty without a file', () => {
    expect(logTail(join(folder, 'none.log'), 3)).toEqual([]);
  });
});
