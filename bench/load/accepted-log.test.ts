import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AcceptedLog } from './accepted-log.ts';
import { groupMessage } from './messages.ts';
import { syntheticTemplates } from './templates.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  path = join(folder, 'accepted.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

const message = (sequence: number): ReturnType<typeof groupMessage> =>
  groupMessage(syntheticTemplates(1)[0]!, { job: 'job', sequence, nowUs: 0 });

it('gives back what was appended, over several lives', () => {
  for (const sequence of [4, 9]) {
    const log = AcceptedLog.open(path);
    log.append(message(sequence));
    log.close();
  }
  const { id, lengths } = message(9);
  expect([...AcceptedLog.read(path).keys()]).toEqual([4, 9]);
  expect(AcceptedLog.read(path).get(9)).toEqual({ sequence: 9, id, lengths });
});

it('does not read a line that was cut short, and reads those after it', () => {
  const first = AcceptedLog.open(path);
  first.append(message(1));
  first.close();
  appendFileSync(path, '2\tjob:00000000:made-0#2:0\t13,1');
  const second = AcceptedLog.open(path);
  second.append(message(3));
  second.close();
  expect([...AcceptedLog.read(path).keys()]).toEqual([1, 3]);
});

it('is empty where there is no file', () => {
  expect(AcceptedLog.read(path).size).toBe(0);
});
