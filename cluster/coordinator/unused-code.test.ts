import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { jobCode } from '../jobs/code.ts';
import type { JobDirectory } from '../jobs/directory.ts';
import { deleteUnusedCode } from './unused-code.ts';

it('deletes code that no record names, old enough that no job is being created with it', async () => {
  const folder = await temporaryFolder();
  const code = join(folder.path, 'code');
  mkdirSync(code);
  const digest = (letter: string): string => letter.repeat(64);
  const write = (name: string, hours: number): void => {
    writeFileSync(join(code, name), '{}');
    utimesSync(join(code, name), new Date(), new Date(Date.now() - hours * 3600_000));
  };
  write(`${digest('a')}.json`, 5);
  write(`${digest('b')}.json`, 5);
  write(`${digest('c')}.json`, 5);
  write(`${digest('d')}.json`, 0.5);
  write(`${digest('a')}.json.77.partial`, 5);
  write('notes.json', 5);
  const record = createJobRecord({ id: 'job', config: thermostatJob(), now: 0, code: digest('a') });
  const failed = { ...transition({ ...record, id: 'failed' }, 'FAILED', { now: 1, error: 'x' }), code: digest('b') };
  let unreadable = [{ id: 'bad', revision: 1, problem: 'truncated' }];
  const jobs = {
    list: () => [record, failed].map((job) => ({ record: job, revision: 1 })),
    unreadable: () => unreadable,
  } as unknown as JobDirectory;
  const context = { code: jobCode(folder.path), jobs, log: silentLogger(), outside: <T>(work: Promise<T>) => work };

  await deleteUnusedCode(context);
  expect(readdirSync(code)).toHaveLength(6);
  unreadable = [];
  await deleteUnusedCode(context);
  expect(readdirSync(code).sort()).toEqual([`${digest('a')}.json`, `${digest('b')}.json`, `${digest('d')}.json`, 'notes.json']);
  await folder.remove();
  await deleteUnusedCode(context);
});
