import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ActorSchema, EvaluationSchema, JobProgressSchema, JobState, NodeSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { LedgerSchema, ScoredGroupSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { startServer } from '../../src/rpc/server.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { packRows } from '../../src/records/pack.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { writeAdminFile } from '../up/admin-file.ts';
import { main } from './main.ts';

const SCRIPT = fileURLToPath(new URL('../../bin/millrace.js', import.meta.url));
const TOKEN = 'a token of this test';

/** The command line, partly as a process of its own in a folder that is not ours, against a real server with a fake backend. */
describe('millrace', { timeout: 60_000 }, () => {
  let folder: string;
  let backend: MemoryBackend;
  let server: RunningServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
    writeFileSync(join(folder, 'wrong.token'), 'another token than this test');
    writeFileSync(join(folder, 'flow.ts'), 'export default {};\n');
    writeFileSync(join(folder, 'job.yaml'), 'name: demo\nflow: flow.ts\nrounds: 12\n');
    backend = new MemoryBackend();
    server = await startServer({ services: [adminService(backend)], token: TOKEN });
    writeAdminFile(join(folder, '.millrace'), { address: server.address, token: TOKEN });
  });
  afterAll(async () => {
    await server.stop(500);
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => backend.jobs.clear());

  interface Finished {
    code: number | null;
    stdout: string;
    stderr: string;
  }

  /** Runs a command line in this process, which is faster. */
  async function inProcess(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
    const finished: Finished = { code: null, stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (finished[stream] += text) });
    const { signal } = new AbortController();
    finished.code = await main(args, { stdout: output('stdout'), stderr: output('stderr'), env, cwd: folder, signal });
    return finished;
  }

  function spawned(
    args: string[],
    options: { onOutput?: (text: string, interrupt: () => void) => void } = {},
  ): Promise<Finished> {
    const { MILLRACE_ADDRESS: _a, MILLRACE_TOKEN: _t, MILLRACE_STATE: _s, MILLRACE_DEBUG: _d, ...env } = process.env;
    const child = spawn(process.execPath, [SCRIPT, ...args], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const finished: Finished = { code: null, stdout: '', stderr: '' };
    const collect = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
      finished[stream] += String(chunk);
      options.onOutput?.(finished.stdout + finished.stderr, () => child.kill('SIGINT'));
    };
    child.stdout.on('data', collect('stdout'));
    child.stderr.on('data', collect('stderr'));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ ...finished, code }));
    });
  }

  async function addJob(id: string): Promise<void> {
    await backend.createJob(id, { name: 'demo' } as never);
  }

  it('creates a job from a file with overrides, and lists it', async () => {
    const created = await spawned([
      'job',
      'create',
      'job.yaml',
      '--set',
      'rollout.groupSize=4',
      '--id',
      'first',
      '--owner',
      'ann',
      '--priority',
      '-5',
    ]);
    expect(created).toMatchObject({ code: 0, stdout: 'first\n', stderr: 'queued; follow it with: millrace job watch first\n' });
    expect(backend.jobs.get('first')).toMatchObject({ owner: 'ann', priority: -5 });
    const config = JSON.parse(backend.jobs.get('first')?.configJson ?? '{}') as Record<string, unknown>;
    expect(config).toMatchObject({
      name: 'demo',
      rounds: 12,
      flow: join(folder, 'flow.ts'),
      rollout: { groupSize: 4, groupsPerRound: 16 },
    });
    const table = await inProcess(['job', 'list']);
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^JOB +STATE +QUEUE +ROUND/);
    expect(table.stdout).toMatch(/\nfirst +queued +– +0\/0/);
    const json = await inProcess(['job', 'list', '-o', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject([{ id: 'first', state: 'JOB_STATE_QUEUED', config: { name: 'demo' } }]);
  });

  it('changes the priority of a job, which its place in the queue follows', async () => {
    await addJob('a');
    expect(await inProcess(['job', 'set-priority', 'a', '7'])).toMatchObject({ code: 0, stdout: 'a has priority 7\n' });
    expect(await inProcess(['job', 'set-priority', 'a', '--', '-7'])).toMatchObject({ code: 0, stdout: 'a has priority -7\n' });
    const refused = await inProcess(['job', 'set-priority', 'a', '101']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/priority: got "101", expected .* -100 to 100/)]);
    await backend.change('a', (job) => Object.assign(job, { queuePosition: 3, queueReason: '2 of 2 jobs run', owner: 'ann' }));
    const { stdout } = await inProcess(['job', 'describe', 'a']);
    expect(stdout).toMatch(/^queue +place 3: 2 of 2 jobs run$/m);
    expect(stdout).toMatch(/^owner +ann$/m);
    expect((await inProcess(['job', 'list'])).stdout).toMatch(/^JOB +STATE +QUEUE/);
  });

  it('describes a job: what it waits for, its requests and whether they add up', async () => {
    await addJob('a');
    const ledger = create(LedgerSchema, {
      trained: 5n,
      filtered: 2n,
      failed: 1n,
      failedByClass: { TOOL_TIMEOUT: 1n },
      frontier: 8n,
      trajectories: 112n,
    });
    await backend.change('a', (job) => {
      job.state = JobState.RUNNING;
      job.waitingFor = 'groups of round 2: 3 of 8 received';
      job.checkpoint = '/somewhere/a-1';
      job.progress = create(JobProgressSchema, {
        round: 1,
        roundsTotal: 12,
        reward: 0.25,
        requests: 11n,
        ledger,
        etaSeconds: 61,
        statistics: { entropy: 1.5 },
      });
      job.evaluations = [create(EvaluationSchema, { name: 'untrained', tasks: 50, successes: 1 })];
    });
    const good = await inProcess(['job', 'describe', 'a']);
    expect(good.code).toBe(0);
    expect(good.stdout).toMatch(/waiting for +groups of round 2: 3 of 8 received/);
    expect(good.stdout).toMatch(
      /requests +11 = 5 trained \+ 2 filtered \+ 0 expired \+ 1 failed \+ 3 open\n +check +adds up\n +failed +TOOL_TIMEOUT 1/,
    );
    expect(good.stdout).toMatch(/untrained +0 +2\.0 % +0\.4–10\.5 % +1 of 50 +0 /);
    expect(good.stdout).toMatch(/checkpoint +\/somewhere\/a-1/);
    expect(good.stdout).toMatch(/ETA +1m 01s/);
    await backend.change('a', (job) => {
      if (job.progress?.ledger) job.progress.ledger.trained = 6n;
    });
    expect((await inProcess(['job', 'describe', 'a'])).stdout).toMatch(/check +WRONG: the ledger does not add up/);
  });

  it('watches a job to its end with plain lines, and exits by how it ended', async () => {
    await addJob('a');
    let round = 0;
    const advance = (): void => {
      round += 1;
      void backend.change('a', (job) => {
        job.state = round > 3 ? JobState.FAILED : JobState.RUNNING;
        job.error = round > 3 ? 'weights are not finite' : '';
        job.progress = create(JobProgressSchema, { round, roundsTotal: 12, reward: round / 10 });
      });
    };
    const timer = setInterval(advance, 300);
    const watched = await spawned(['job', 'watch', 'a']).finally(() => clearInterval(timer));
    expect(watched).toMatchObject({ code: 1, stdout: 'a failed\n' });
    expect(watched.stderr).toMatch(/failed · round {2}4\/12 · reward 0\.40/);
    expect(watched.stderr).toMatch(/error: weights are not finite\n$/);
    expect(watched.stderr).not.toMatch(/[\r\x1b]/);
  });

  it('stops watching at Ctrl-C', async () => {
    await addJob('a');
    let interrupted = false;
    const watched = await spawned(['job', 'watch', 'a'], {
      onOutput: (text, interrupt) => {
        if (interrupted || !text.includes('round')) return;
        interrupted = true;
        interrupt();
      },
    });
    expect(watched).toMatchObject({ code: 130, stdout: '' });
    expect(watched.stderr).toMatch(/error: Interrupted\.\n$/);
    await expect.poll(() => backend.watchers).toBe(0);
  });

  it('pauses, resumes and cancels', async () => {
    await addJob('a');
    expect(await inProcess(['job', 'pause', 'a'])).toMatchObject({ code: 0, stdout: 'a is paused\n' });
    expect(await inProcess(['job', 'resume', 'a'])).toMatchObject({ code: 0, stdout: 'a is running\n' });
    expect(await inProcess(['job', 'cancel', 'a'])).toMatchObject({ code: 0, stdout: 'a is cancelled\n' });
  });

  it('lists nodes and actors', async () => {
    backend.nodes.push(
      create(NodeSchema, {
        id: 'rollout-1',
        roles: ['rollout'],
        pid: 4,
        heartbeatTime: timestampNow(),
        rssBytes: 1n << 28n,
        labels: { backend: 'wasm' },
      }),
    );
    backend.actors.push(
      create(ActorSchema, {
        address: 'rollout-1/rollout/0',
        state: 'running',
        mailboxDepth: 2,
        inFlight: 3,
        waitingFor: 'a request',
        lastError: 'the store is away',
      }),
    );
    expect((await inProcess(['node', 'list'])).stdout).toMatch(/rollout-1 +rollout +4 .* 256\.0 MiB .* backend=wasm/);
    expect((await inProcess(['actor', 'list', '--node', 'rollout-1'])).stdout).toMatch(
      /rollout-1\/rollout\/0 +running +2 +3 +0 +0 +a request +the store is away/,
    );
    expect((await inProcess(['actor', 'list', '--node', 'x'])).stdout).not.toMatch(/rollout/);
  });

  it('runs SQL in three formats, and says when rows are left out', async () => {
    backend.result = {
      columns: [
        { name: 'tool', type: 'String' },
        { name: 'n', type: 'UInt64' },
      ],
      rows: [['a,b', 3]],
      truncated: true,
    };
    const table = await inProcess(['sql', 'SELECT tool, count() AS n FROM steps GROUP BY tool', '--limit', '1']);
    expect(table).toMatchObject({ code: 0, stdout: 'tool  n\na,b   3\n' });
    expect(table.stderr).toMatch(/only the first 1 rows/);
    expect((await inProcess(['sql', 'SELECT 1', '--csv'])).stdout).toBe('tool,n\r\n"a,b",3\r\n');
    expect((await inProcess(['sql', 'SELECT 1', '--json'])).stdout).toBe('{"tool":"a,b","n":3}\n');
    const refused = await inProcess(['sql', 'DROP TABLE steps']);
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: 'error: Only reading is allowed.\nwhere: sql\n' });
  });

  it('answers named queries, and says what there is when a name or a parameter is wrong', async () => {
    backend.result = { columns: [{ name: 'job', type: 'String' }], rows: [['demo-7']], truncated: false };
    backend.queries.length = 0;
    const list = await inProcess(['query']);
    const asJson = JSON.parse((await inProcess(['query', '-o', 'json'])).stdout) as { name: string }[];
    expect(asJson.find(({ name }) => name === 'tasks')).toMatchObject({ parameters: [{ name: 'rounds' }, { name: 'limit' }] });
    expect(list.stdout).toMatch(/^time {17}Where a training trajectory's time went, from dispatch to score\.$/m);
    expect(list.stdout).toMatch(/^ +--param rounds=100 +how many of the newest rounds\.$/m);
    expect(await inProcess(['query', 'tasks', '--param', 'limit=3', '--param', 'rounds=9', '--csv'])).toMatchObject({
      code: 0,
      stdout: 'job\r\ndemo-7\r\n',
    });
    const [newest, asked] = backend.queries;
    expect(newest!.sql).toContain('job_events');
    expect(asked!.sql).toContain("WHERE job = 'demo-7'");
    expect(asked!.sql).toContain('LIMIT toUInt32(3)');
    expect(asked!.sql).not.toMatch(/\{\w+:/);
    for (const [args, said] of [
      [['query', 'task'], /"task" is not a named query; use one of success-by-version, .*tasks/],
      [['query', 'tasks', '--param', 'rows=3'], /query tasks has no parameter "rows"; use rounds, limit\./],
      [['query', 'tasks', '--param', 'limit=-3'], /limit: got "-3", expected a whole number from 0 to 4294967295/],
      [['query', 'tasks', '--param', 'limit'], /"limit" is no parameter; write --param key=value/],
      [['query', 'tasks', '--json', '--csv'], /Give --json or --csv, not both/],
      [['query', 'tasks', '--job', "a'b"], /not a job id/],
      [['query', 'compare-jobs'], /query compare-jobs has to be told other: the job to compare with/],
    ] as const) {
      const { code, stderr } = await inProcess([...args]);
      expect([code, stderr], args.join(' ')).toEqual([2, expect.stringMatching(said)]);
    }
  });

  it('says why a question has no answer', async () => {
    backend.result = { columns: [{ name: 'job', type: 'String' }], rows: [], truncated: false };
    expect(await inProcess(['query', 'tasks', '--job', 'typo'])).toMatchObject({
      code: 0,
      stdout: 'job\n',
      stderr: 'no rows: nothing of a job typo is in the store; millrace store stats lists the jobs that are\n',
    });
    expect(await inProcess(['query', 'tasks'])).toMatchObject({
      stderr: expect.stringContaining('There is no job yet') as string,
    });
  });

  it('shows what the store holds, and prunes it', async () => {
    const oldestTime = { seconds: 1_767_225_600n };
    const newestTime = { seconds: 1_767_312_000n };
    backend.stats = {
      tables: [
        {
          name: 'steps',
          rows: 1000n,
          diskBytes: 15_000n,
          compressedBytes: 14_000n,
          rawBytes: 140_000n,
          parts: 2,
          oldestTime,
          newestTime,
        },
        { name: 'exploration' },
      ],
      jobs: [
        {
          id: 'demo-1',
          trajectories: 80n,
          steps: 1000n,
          diskBytes: 16_500n,
          bytesPerStep: 15,
          ended: true,
          oldestTime,
          newestTime,
        },
      ],
    };
    const { stdout } = await inProcess(['store', 'stats']);
    expect(stdout).toMatch(/^steps +1000 +14\.6 KiB +15\.0 B +10\.0 +2 +2026-01-01 00:00:00Z +2026-01-02 00:00:00Z$/m);
    expect(stdout).toMatch(/^exploration +0 +0 B +0 +– +–$/m);
    expect(stdout).toMatch(/^demo-1 +80 +1000 +16\.1 KiB +15\.0 B +yes +2026-01-01/m);
    expect(JSON.parse((await inProcess(['-o', 'json', 'store', 'stats'])).stdout)).toMatchObject({
      tables: [
        { name: 'steps', rows: '1000', parts: 2 },
        { name: 'exploration', rows: '0' },
      ],
      jobs: [{ id: 'demo-1', ended: true, bytesPerStep: 15 }],
    });

    expect((await inProcess(['store', 'prune', '--older-than', '30d', '--yes'])).stdout).toBe('nothing to prune\n');
    backend.pruned = { jobs: [{ id: 'demo-1', trajectories: 80n, steps: 1000n, bytes: 16_500n, whole: true }] };
    const dry = await inProcess(['store', 'prune', '--older-than', '8w', '--job', 'demo-1', '--dry-run']);
    expect(dry.stdout).toMatch(/^demo-1 +80 +1000 +16\.1 KiB +everything$/m);
    expect(dry.stdout).toMatch(/16\.1 KiB would be deleted; leave out --dry-run to do it\n$/);
    expect(await inProcess(['store', 'prune', '--older-than', '8w'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Deleting rows of ended jobs older than 8w cannot be undone; give --yes/) as string,
    });
    expect((await inProcess(['store', 'prune', '--older-than', '8w', '--yes'])).stdout).toMatch(/16\.1 KiB deleted\n$/);
    expect(backend.prunes.map(({ olderThan, jobId, dryRun }) => [olderThan?.seconds, jobId, dryRun])).toEqual([
      [2_592_000n, '', false],
      [4_838_400n, 'demo-1', true],
      [4_838_400n, '', false],
    ]);
    expect(await inProcess(['store', 'prune', '--older-than', 'yesterday'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected an age like 30m, 12h, 30d or 8w') as string,
    });
    expect((await inProcess(['store', 'prune'])).code).toBe(2);
  });

  it('lists, shows and replays dead letters', async () => {
    const { bus } = backend;
    expect((await inProcess(['dlq', 'list'])).stdout).toBe('no dead letters\n');
    const group = create(ScoredGroupSchema, {
      request: { id: 'demo-1:0:t1:0', job: 'demo-1', taskId: 't1' },
      stepRows: packRows(Buffer.from('["demo-1","a row that no table takes"]\n'.repeat(40))),
    });
    const payload = toBinary(ScoredGroupSchema, group);
    const again: string[] = [];
    await bus.consume({ stream: 'SCORED', durable: 'writer', filter: 'scored.>' }, async (message) => {
      if (message.deliveryCount === 1 && !message.id.includes(':replay:')) return message.term('ClickHouse: cannot parse input');
      again.push(message.subject);
      await message.ack();
    });
    for (const id of ['m1', 'm2', 'm3'])
      await bus.publish('scored.demo-1.train', payload, { id, headers: { traceparent: '00-1' } });
    const list = await inProcess(['dlq', 'list', '--limit', '2']);
    expect(list.stdout).toMatch(
      /^ *ID +STREAM +SUBJECT .*\n *1 +SCORED +scored\.demo-1\.train .* cannot parse input\n *2 +SCORED/,
    );
    expect(list.stderr).toBe('there are more; --limit shows them\n');
    const shown = await inProcess(['dlq', 'show', '2', '--payload', 'payload.bin']);
    expect(shown.stdout).toMatch(
      /message id +m2\n[^]*headers +\{"traceparent":"00-1"\}\n[^]*task +t1\n[^]*step rows: 40\n {2}\["demo-1","a row/,
    );
    expect(Buffer.compare(readFileSync(join(folder, 'payload.bin')), payload)).toBe(0);
    expect(await inProcess(['dlq', 'show', '99'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('dlq list') as string,
    });
    expect((await inProcess(['dlq', 'replay', '2'])).stdout).toBe('1 letter replayed\n');
    const both = [
      ['dlq', 'replay'],
      ['dlq', 'replay', '1', '--all'],
      ['dlq', 'replay', '1', '--stream', 'SCORED'],
      ['dlq', 'show', 'x'],
    ];
    for (const args of both) expect((await inProcess(args)).code, args.join(' ')).toBe(2);
    expect(JSON.parse((await inProcess(['dlq', 'replay', '--all', '--stream', 'scored', '-o', 'json'])).stdout)).toEqual({
      replayed: 2,
    });
    expect(again).toEqual(['scored.demo-1.rows', 'scored.demo-1.rows', 'scored.demo-1.rows']);
    expect(JSON.parse((await inProcess(['dlq', 'list', '-o', 'json'])).stdout)).toEqual([]);
  });

  it('shows what settings hold', async () => {
    const job = await inProcess(['config', 'show', 'job.yaml', '--set', 'seed=5']);
    expect(job.code).toBe(0);
    expect(job.stdout).toMatch(/rounds: 12 # file\n/);
    expect(job.stdout).toMatch(/seed: 5 # flag\n/);
    const schema = JSON.parse((await inProcess(['config', 'schema'])).stdout) as { properties: object; required: string[] };
    expect(schema.required).toEqual(['name', 'flow']);
    expect(schema.properties).toMatchObject({ rounds: { type: 'integer', default: 300 } });
    const elsewhere = await inProcess(['--state', '/srv/other', 'config', 'show']);
    expect(elsewhere.stdout).toContain('stateDir: /srv/other # flag');
    const secret = await inProcess(['config', 'show'], { MILLRACE_TOKEN: 'sixteen characters' });
    expect(secret.code).toBe(0);
    expect(secret.stdout).not.toMatch(/sixteen/);
  });

  it('ends with the documented exit codes and says what to do, without a stack', async () => {
    const cases: [string[], number, RegExp][] = [
      [['job', 'describe', 'nobody'], 3, /^error: There is no job nobody\./],
      [['job', 'describe', 'No Id'], 2, /not a job id.*\nwhere: job_id/],
      [['job', 'nonsense'], 2, /unknown command/],
      [['job', 'create', 'missing.yaml'], 3, /missing\.yaml/],
      [['job', 'create', 'job.yaml', '--set', 'rollout.groupsize=4'], 2, /groupSize/],
      [['job', 'list', '--limit', 'many'], 2, /--limit: got "many"/],
      [['job', 'list', '--address', '127.0.0.1:1'], 4, /Nothing answers at 127\.0\.0\.1:1 .*from --address\.\nhelp:/],
      [['job', 'list', '--state', 'elsewhere'], 4, /No cluster is running here.*elsewhere/],
      [['job', 'list', '--token-file', 'wrong.token'], 1, /not the one.*\nhelp: {2}give --token-file/],
      [['job', 'list', '--token', 'sixteen characters'], 2, /^error: --token: every account .*--token-file/],
    ];
    const results = await Promise.all(cases.map(([args]) => inProcess(args)));
    const asProcess = await spawned(['job', 'describe', 'nobody']);
    expect(asProcess).toEqual(results[0]);
    for (const [i, [args, code, message]] of cases.entries()) {
      expect(results[i], args.join(' ')).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) as string });
      expect(results[i]?.stderr).not.toMatch(/\n {4}at /);
    }
  });
});
