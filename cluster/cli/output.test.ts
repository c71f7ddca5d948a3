import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import { CheckpointSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { writeAdminFile } from '../up/admin-file.ts';
import { main } from './main.ts';

/** What commands print, and where: against a real server with a fake backend. */
describe('millrace', () => {
  let folder: string;
  let backend: MemoryBackend;
  let server: RunningServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-output-'));
    writeFileSync(join(folder, 'flow.ts'), 'export default {};\n');
    writeFileSync(join(folder, 'job.yaml'), 'name: demo\nflow: flow.ts\nrounds: 12\n');
    backend = new MemoryBackend();
    server = await startServer({ services: [adminService(backend)] });
    writeAdminFile(join(folder, '.millrace'), { address: server.address });
  });
  afterAll(async () => {
    await server.stop(500);
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => backend.jobs.clear());

  async function inProcess(
    args: string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const written = { stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (written[stream] += text) });
    const { signal } = new AbortController();
    const code = await main(args, { stdout: output('stdout'), stderr: output('stderr'), env, cwd: folder, signal });
    return { code, ...written };
  }

  const addJob = (id: string) => backend.createJob(id, { name: 'demo' } as never);

  it('lists checkpoints, and goes on from one', async () => {
    const job = await backend.createJob('a', { name: 'demo', flow: join(folder, 'flow.ts'), rounds: 12 } as never);
    const evaluation = { name: 'trained', policyVersion: 2, tasks: 4, successes: 3 };
    const checkpoint = { jobId: 'a', bytes: 2048n, digest: 'ab'.repeat(32) };
    const best = create(CheckpointSchema, { ...checkpoint, version: 2, evaluation });
    backend.checkpoints.set('a', [best, create(CheckpointSchema, { ...checkpoint, version: 4, problem: 'a file is missing' })]);
    await backend.change('a', (each) => void (each.bestCheckpoint = best));
    const shown = (await inProcess(['job', 'checkpoints', 'a'])).stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(shown[0]!.map((cell) => cell.trim())).toEqual(expect.arrayContaining(['VERSION', 'HELD OUT', 'SIZE', 'STATE']));
    expect(shown[1]).toEqual(expect.arrayContaining(['75.0 %', 'abababababab', 'whole', 'best']));
    expect(shown[2]).toEqual(expect.arrayContaining(['damaged', 'newest', 'a file is missing']));
    const { stdout } = await inProcess(['-o', 'json', 'job', 'checkpoints', 'a']);
    expect(JSON.parse(stdout)).toMatchObject([
      { version: 2, whole: true, best: true, newest: false, evaluation: { successes: 3 } },
      { version: 4, whole: false, best: false, newest: true, problem: 'a file is missing' },
    ]);
    expect((await inProcess(['job', 'checkpoints', 'nobody'])).code).toBe(3);

    expect(job.id).toBe('a');
    expect((await inProcess(['job', 'fork', 'a@2', '--id', 'b', '--set', 'rounds=20'])).stdout).toBe('b\n');
    expect(backend.forks).toEqual([{ job: 'a', version: 2 }]);
    expect(JSON.parse(backend.jobs.get('b')!.configJson)).toMatchObject({ name: 'demo', rounds: 20 });
    expect((await inProcess(['job', 'fork', 'a'])).stdout).toBe('demo-1\n');
    expect(backend.forks.at(-1)).toEqual({ job: 'a', version: undefined });
    const wrong = await inProcess(['job', 'fork', 'a', '--set', 'rounds=x']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/rounds: got "x"/)]);
    expect(await inProcess(['job', 'fork', 'A@2'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/neither <job>/) as string,
    });
  });

  it('creates, shows, pauses and deletes schedules', async () => {
    const json = async (...args: string[]): Promise<unknown> => {
      const { stdout, stderr } = await inProcess(['-o', 'json', 'schedule', ...args]);
      return JSON.parse(stdout || stderr) as unknown;
    };
    const create = ['schedule', 'create', 'nightly', '--cron', '0 3 * * *', '--time-zone', 'Europe/Berlin', '--from', 'latest'];
    const flags = ['--set', 'rounds=7', '--owner', 'ann', '--', 'job.yaml'];
    expect(await inProcess([...create, ...flags])).toMatchObject({ code: 0, stdout: 'schedule nightly is created\n' });
    const shown = {
      name: 'nightly',
      cron: '0 3 * * *',
      timeZone: 'Europe/Berlin',
      fromLatest: true,
      paused: false,
      owner: 'ann',
    };
    expect(await json('show', 'nightly')).toMatchObject({ ...shown, runs: 0, jobs: [], config: { name: 'demo', rounds: 7 } });
    expect((await inProcess(['schedule', 'list'])).stdout).toMatch(/nightly +0 3 \* \* \* \(Europe\/Berlin\) +20\d\d-/);
    expect(await json('pause', 'nightly')).toMatchObject({ paused: true });
    expect((await inProcess(['schedule', 'show', 'nightly'])).stdout).toMatch(/state +paused/);
    expect(await json('resume', 'nightly')).toMatchObject({ paused: false });
    expect(await json('create', 'counting', 'job.yaml', '--after-interactions', '500')).toMatchObject({ afterInteractions: 500 });
    expect(await json('list')).toMatchObject([{ name: 'counting' }, { name: 'nightly' }]);
    expect(await inProcess([...create, 'job.yaml'])).toMatchObject({ code: 1 });
    for (const [args, field] of [
      [['create', 'x', 'job.yaml'], 'cron'],
      [['create', 'x', 'job.yaml', '--cron', 'daily'], 'cron'],
      [['create', 'x', 'job.yaml', '--cron', '0 3 * * *', '--after-trajectories', '5'], 'cron'],
      [['create', 'x', 'job.yaml', '--cron', '0 3 * * *', '--time-zone', 'Nowhere'], 'time_zone'],
      [['create', 'X', 'job.yaml', '--after-trajectories', '5'], 'name'],
      [['create', 'x', 'job.yaml', '--after-trajectories', '5', '--from', 'a@1'], '--from'],
    ] as const)
      expect(await json(...args)).toMatchObject({ error: { code: 'invalid_argument', field } });
    for (const name of ['counting', 'nightly']) expect(await json('delete', name, '--yes')).toEqual({ name, deleted: true });
    expect((await inProcess(['schedule', 'show', 'nightly'])).code).toBe(3);
  });

  it('changes several jobs, or all in a state, and filters the list', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await addJob(id);
    await backend.change('d', (job) => void (job.state = JobState.SUCCEEDED));
    await backend.change('b', (job) => void (job.state = JobState.RUNNING));
    const listed = async (...args: string[]): Promise<string[]> => {
      const { stdout } = await inProcess(['-o', 'json', 'job', 'list', ...args]);
      return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id).sort();
    };
    expect(await listed('--status', 'running,succeeded')).toEqual(['b', 'd']);
    expect(await listed('--status', 'queued', '--limit', '1')).toHaveLength(1);
    await backend.change('a', (job) => void (job.owner = 'ann'));
    await backend.change('b', (job) => void (job.owner = 'ann'));
    expect(await listed('--owner', 'ann')).toEqual(['a', 'b']);
    expect(await listed('--owner', 'ann', '--status', 'running,paused')).toEqual(['b']);
    expect(await listed('--mine')).toEqual(['c', 'd']);
    const mine = await inProcess(['-o', 'json', 'job', 'list', '--mine'], { MILLRACE_OWNER: 'ann' });
    expect((JSON.parse(mine.stdout) as unknown[]).length).toBe(2);
    for (const wrong of [
      ['--owner', 'ann', '--mine'],
      ['--owner', 'a" OR id="b'],
    ])
      expect((await inProcess(['job', 'list', ...wrong])).code).toBe(2);

    const some = await inProcess(['job', 'cancel', 'a', 'nobody', 'b']);
    expect(some).toMatchObject({ code: 3, stdout: 'a is cancelled\nb is cancelled\n' });
    expect(some.stderr).toMatch(/^error: 1 of 3 jobs failed:\n {2}nobody: There is no job nobody\./);
    expect(await inProcess(['job', 'cancel', '--all'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Cancelling c cannot be undone; give --yes/) as string,
    });
    const all = await inProcess(['-o', 'json', 'job', 'cancel', '--all', '--yes']);
    expect(JSON.parse(all.stdout)).toMatchObject([{ id: 'c', state: 'JOB_STATE_CANCELLED' }]);
    expect(await listed('--status', 'cancelled')).toEqual(['a', 'b', 'c']);
    expect(await inProcess(['job', 'cancel', '--all'])).toEqual({ code: 0, stdout: '', stderr: 'no job is in such a state\n' });
    for (const wrong of [
      ['cancel'],
      ['pause', 'a', '--all'],
      ['resume', '--status', 'sleeping'],
      ['list', '--status', 'sleeping'],
    ])
      expect(await inProcess(['job', ...wrong])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/^error: /) as string,
      });
  });

  it('gives errors as JSON with -o json, usage errors too', async () => {
    const cases: [string[], number, object][] = [
      [['job', 'describe', 'nobody'], 3, { code: 'not_found', message: 'There is no job nobody.', retryable: false }],
      [
        ['job', 'nonsense'],
        2,
        { code: 'invalid_argument', message: expect.stringMatching(/^unknown command 'nonsense'/) as string },
      ],
      [['job', 'list', '--nonsense'], 2, { message: expect.stringMatching(/^unknown option '--nonsense'/) as string }],
      [['job', 'describe'], 2, { message: expect.stringMatching(/^missing required argument 'id'/) as string }],
      [['job'], 2, { message: expect.stringMatching(/^a command is missing/) as string }],
      [['job', 'list', '--limit', '0'], 2, { code: 'invalid_argument', field: '--limit' }],
      [
        ['--address', '127.0.0.1:1', 'job', 'list'],
        4,
        { code: 'unavailable', retryable: true, help: expect.any(String) as string },
      ],
      [['query', 'nonsense'], 2, { field: 'name' }],
    ];
    for (const [args, exitCode, error] of cases) {
      for (const flags of [['-o', 'json'], ['--output=json'], ['-ojson']]) {
        const { code, stdout, stderr } = await inProcess([...flags, ...args]);
        expect([code, stdout], args.join(' ')).toEqual([exitCode, '']);
        expect(stderr).toMatch(/^\{.*\}\n$/);
        expect(JSON.parse(stderr)).toEqual({ error: expect.objectContaining({ ...error, exitCode }) as object });
      }
    }
    const help = await inProcess(['-o', 'json', 'job', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
  });

  it('is as loud as it is told to be', async () => {
    await addJob('a');
    expect((await inProcess(['-q', 'job', 'create', 'job.yaml'])).stderr).toBe('');
    expect((await inProcess(['-q', 'job', 'describe', 'nobody'])).stderr).toMatch(/^error: There is no job/);
    const verbose = await inProcess(['job', 'list', '--verbose']);
    expect(verbose.stderr).toMatch(/^asking the admin API at 127\.0\.0\.1:\d+ \(from .*admin\.json\)\nanswered in \d+ ms\n$/);
    expect((await inProcess(['-v', 'job', 'describe', 'nobody'])).stderr).toMatch(/\n {4}at /);
    expect(await inProcess(['-v', '-q', 'job', 'list'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/not both/) as string,
    });
  });
});
