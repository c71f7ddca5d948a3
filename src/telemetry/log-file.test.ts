import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountSmallDisk } from './testing-small-disk.ts';
import { logFile } from './log-file.ts';
import { createLogger } from './log.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-log-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('logFile', () => {
  it('goes on when there is room again, and says what is missing', ({ skip }) => {
    const disk = mountSmallDisk(join(folder, 'disk'), 1);
    if (disk === undefined) return skip('a small disk can only be mounted as root');
    try {
      let at = 0;
      const file = join(disk.path, 'logs', 'n.log');
      const stream = logFile(file, { now: () => at });
      stream.write('before\n');
      disk.fill();
      // The last page of the file takes a part of this line.
      const long = `${'x'.repeat(5000)}\n`;
      for (let i = 0; i < 3; i += 1) stream.write(long);
      disk.clear();
      stream.write('too early\n');
      at = 1_000;
      stream.write('after\n');
      stream.write('and after\n');
      const lines = readFileSync(file, 'utf8').split('\n');
      expect(lines.slice(-4)).toEqual([
        expect.stringMatching(/"level":"warn".*could not be written: ENOSPC/),
        'after',
        'and after',
        '',
      ]);
      const { lost } = JSON.parse(lines.at(-4)!) as { lost: number };
      const whole = lines.filter((line) => line === long.trimEnd()).length;
      expect([lines[0], whole + lost]).toEqual(['before', 4]);
      expect(lost).toBeGreaterThan(1);
    } finally {
      disk.unmount();
    }
  });

  it('survives a folder that cannot be made, one that is removed, and a descriptor that is closed', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => logFile(join(folder, 'file', 'n.log')).write('x\n')).not.toThrow();

    const fd = openSync(join(folder, 'other'), 'a');
    const stream = logFile(fd);
    closeSync(fd);
    expect(() => stream.write('x\n')).not.toThrow();
  });

  it('makes the file again where it could not be made at first', () => {
    let at = 0;
    writeFileSync(join(folder, 'logs'), 'no folder');
    const stream = logFile(join(folder, 'logs', 'n.log'), { now: () => at });
    stream.write('lost\n');
    rmSync(join(folder, 'logs'));
    at = 1_000;
    stream.write('written\n');
    expect(readFileSync(join(folder, 'logs', 'n.log'), 'utf8')).toMatch(
      /"lost":1,"msg":"1 lines before .*(EEXIST|ENOTDIR).*\nwritten\n$/,
    );
  });

  it('is what loggers write to', () => {
    const log = createLogger({ name: 'millrace', file: '/dev/full' });
    expect(() => {
      log.info('one');
      log.fatal('two');
      log.flush();
    }).not.toThrow();
  });
});
