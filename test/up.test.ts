import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { millrace, millraceToEnd, processesGone, processesOf, type RunningCommand } from './support/command.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let up: RunningCommand;
beforeAll(async () => {
  folder = await temporaryFolder();
  up = await started();
});
afterAll(async () => {
  up?.kill('SIGKILL');
  await processesGone(folder.path, 10_000);
  await folder.remove();
});

const here = (...args: string[]): string[] => ['--state', folder.path, ...args];
const other = (...args: string[]) => millraceToEnd(here(...args));
const create = (rounds: number) =>
  other(
    'job',
    'create',
    'docs/first-flow/job.yaml',
    ...[
      'policy.hidden=16',
      'rollout.groupsPerRound=4',
      'evaluation.every=0',
      'evaluation.baselines=false',
      `rounds=${rounds}`,
    ].flatMap((setting) => ['--set', setting]),
  );

async function started(): Promise<RunningCommand> {
  const command = millrace(here('up', '--learners', '1', '--rollouts', '1'));
  await command.until(/admin API at 127\.0\.0\.1:\d+; gateway at http:.*; state in .*; Ctrl-C stops it/);
  return command;
}

/** What a shell makes of a line, without white space at its ends; '' when that fails. */
const shell = (line: string): Promise<string> =>
  new Promise((resolve) => execFile('sh', ['-c', line], (_, stdout) => resolve(stdout.trim())));

/** State of the job, and its round. */
async function described(id: string): Promise<{ state: string; round: number }> {
  const { code, stdout, stderr } = await other('-o', 'json', 'job', 'describe', id);
  expect([code, stderr]).toEqual([0, '']);
  const { state, progress } = JSON.parse(stdout) as { state: string; progress: { round: number } };
  return { state, round: progress.round };
}

describe('millrace up', () => {
  it('serves other terminals: a job is created, watched to its end and asked about', async () => {
    const created = await create(5);
    expect(created).toMatchObject({ code: 0, stdout: 'thermostat-1\n' });
    expect(created.stderr).toBe('queued; follow it with: millrace job watch thermostat-1\n');
    const watched = await other('job', 'watch', 'thermostat-1');
    expect(watched).toMatchObject({ code: 0, stdout: 'thermostat-1 succeeded\n' });
    expect(watched.stderr).toMatch(/^checkpoint: .*checkpoints\/thermostat-1\/v000005$/m);
    const nodes = await other('node', 'list');
    for (const id of ['coordinator', 'gateway', 'learner-1', 'parameter-server', 'reward-1', 'rollout-1', 'store'])
      expect(nodes.stdout).toContain(id);
    // The row of the last round is inserted with the next batch of events, up to a second later.
    const sql = (): ReturnType<typeof other> =>
      other('sql', "SELECT count() AS n FROM updates WHERE job = 'thermostat-1'", '--json');
    await expect.poll(sql).toMatchObject({ code: 0, stdout: '{"n":5}\n' });
    expect(JSON.parse(readFileSync(join(folder.path, 'admin.json'), 'utf8'))).toMatchObject({ pid: up.pid });
  });

  it('answers as a ClickHouse server, also after its store was killed', async () => {
    const [, url] = /ClickHouse at (http:\/\/127\.0\.0\.1:\d+)/.exec(up.stdout + up.stderr) ?? [];
    const [, line] = /^SQL: (curl .*)$/m.exec(up.stderr) ?? [];
    expect(await shell(`${line} 2>&1`)).toMatch(/^thermostat-1\t[1-9]\d*$/m);
    expect((await fetch(url!, { method: 'POST', body: 'SELECT 1' })).status).toBe(403);
    const rounds = (): Promise<string> =>
      shell(line!.replace(/ -d .*/, ` -sfd "SELECT count() FROM updates WHERE job = 'thermostat-1'"`));
    const storeOf = async (): Promise<{ pid: number; labels: Record<string, string> } | undefined> => {
      const { stdout } = await other('-o', 'json', 'node', 'list');
      const nodes = JSON.parse(stdout) as { id: string; pid: number; labels: Record<string, string> }[];
      return nodes.find(({ id }) => id === 'store');
    };
    expect(await rounds()).toBe('5');
    const { pid } = (await storeOf())!;
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await storeOf())?.pid, { timeout: 60_000 }).not.toBe(pid);
    await expect.poll(rounds, { timeout: 60_000 }).toBe('5');
    expect((await storeOf())!.labels['clickhouse']).toBe(url);
  });

  it('keeps a second cluster out of its folder', async () => {
    for (const command of [['up'], ['train', 'docs/first-flow/job.yaml']]) {
      const second = await other(...command);
      expect(second).toMatchObject({ code: 1, stdout: '' });
      expect(second.stderr).toMatch(
        new RegExp(`error: A cluster is running in ${folder.path} already \\(process ${up.pid}\\)\\. Stop it, or choose another`),
      );
    }
    expect((await other('job', 'list')).code).toBe(0);
  });

  it('ends at Ctrl-C in good order, and the next one goes on with what was running', async () => {
    expect((await create(4000)).stdout).toBe('thermostat-2\n');
    const watch = millrace(here('job', 'watch', 'thermostat-2'));
    await watch.until(/^round +[1-9]/m);
    const before = await described('thermostat-2');
    up.interrupt();
    expect(await up.ended).toBe(0);
    expect(up.stderr).toMatch(/\nstopping\n$/);
    expect(up.stderr).not.toMatch(/error/i);
    watch.interrupt();
    expect(await watch.ended).toBe(130);
    expect(await processesOf(folder.path)).toEqual([]);
    for (const file of ['admin.json', 'lock']) expect(existsSync(join(folder.path, file))).toBe(false);
    const gone = await other('job', 'list');
    expect(gone.code).toBe(4);
    expect(gone.stderr).toMatch(/No cluster is running here: .*\nhelp: {2}start a cluster with `millrace up`/);

    up = await started();
    await expect.poll(async () => (await described('thermostat-2')).round, { timeout: 30_000 }).toBeGreaterThan(before.round + 2);
    const cancelled = await other('job', 'cancel', 'thermostat-2');
    expect(cancelled.code).toBe(0);
    await expect.poll(async () => (await described('thermostat-2')).state, { timeout: 10_000 }).toBe('JOB_STATE_CANCELLED');
  });

  it('starts nats-server again when it dies, and says so; what runs goes on', async () => {
    expect((await create(4000)).stdout).toBe('thermostat-3\n');
    await expect.poll(async () => (await described('thermostat-3')).round, { timeout: 30_000 }).toBeGreaterThan(1);
    const nats = (await processesOf(folder.path)).find((line) => /^\d+ \S*nats-server /.test(line));
    process.kill(Number(nats!.split(' ')[0]), 'SIGKILL');
    await up.until(/nats-server ended by itself \(SIGKILL\); starting it again\nnats-server runs again\n/);
    const { round } = await described('thermostat-3');
    await expect.poll(async () => (await described('thermostat-3')).round, { timeout: 30_000 }).toBeGreaterThan(round + 2);
    up.interrupt();
    expect(await up.ended).toBe(0);
    expect(await processesOf(folder.path)).toEqual([]);
  });
});
