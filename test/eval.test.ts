import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { millrace, millraceInTurn, millraceToEnd, REPOSITORY } from './support/command.ts';
import { faultyJob } from './support/faulty.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

const JOB = join(REPOSITORY, 'docs/first-flow/job.yaml');

interface Result {
  id: string;
  success: boolean;
  reward: number;
  steps: number;
  failure?: string;
  failureClass?: string;
}
interface Summary {
  tasks: number;
  successes: number;
  failed: number;
  success: number;
  ci95: [number, number];
  meanReward: number;
  meanSteps: number;
  checkpoint: string;
  judged: number;
  notJudged: number;
  failures: Record<string, number>;
  incomplete: boolean;
  judgement: string;
  metrics: Record<string, { value: number }>;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let checkpoint: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const quick = ['rounds=20', 'evaluation.every=0', 'evaluation.baselines=false'];
  ({ checkpoint } = (await runSerial(thermostatJob(quick), { stateDir: folder.path })).job);
});
afterAll(() => folder.remove());

const evaluate = (...args: string[]) => millraceToEnd(['eval', ...args], { cwd: folder.path });

/** The lines of a good run, and the summary that must be the last one. */
async function results(...args: string[]): Promise<{ lines: Result[]; summary: Summary }> {
  const { code, stdout, stderr } = await evaluate(...args);
  expect([code, stderr]).toEqual([0, '']);
  return read(stdout);
}

function read(stdout: string): { lines: Result[]; summary: Summary } {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result & { summary?: Summary });
  const { summary } = lines.pop()!;
  return { lines, summary: summary! };
}

describe('millrace eval', () => {
  it('prints one line a validation task and the summary last, the same each time', async () => {
    const { lines, summary } = await results(JOB, '--checkpoint', checkpoint);
    expect(lines).toHaveLength(20);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(20);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['id', 'success', 'reward', 'steps']);
      expect(line.success).toBe(line.reward === 1);
      expect(line.steps).toBeGreaterThan(0);
    }
    const successes = lines.filter(({ success }) => success).length;
    expect(summary).toMatchObject({ tasks: 20, successes, failed: 0, success: successes / 20, checkpoint });
    expect(summary.ci95[0]).toBeLessThan(summary.success);
    expect(summary.ci95[1]).toBeGreaterThanOrEqual(summary.success);
    expect(summary.meanSteps).toBeCloseTo(lines.reduce((sum, { steps }) => sum + steps, 0) / 20, 6);
    expect((await results(JOB, '--checkpoint', checkpoint)).lines).toEqual(lines);
  });

  it('compares with another policy on the same tasks, and samples for pass@k', async () => {
    const { summary } = await results(JOB, '--checkpoint', checkpoint, '--task-set', 'test', '--against', 'untrained');
    expect(summary).toMatchObject({
      tasks: 20,
      against: {
        ...{ checkpoint: 'untrained', tasks: 20, threshold: 20 },
        decision: expect.stringMatching(/better|worse|undecided/) as string,
      },
      metrics: { success: { value: summary.success }, tool_accuracy: { value: expect.any(Number) as number } },
    });
    const sampled = await results(JOB, '--checkpoint', checkpoint, '--samples', '3');
    expect(Object.keys(sampled.summary.metrics)).toEqual(expect.arrayContaining(['pass@1', 'pass@2', 'pass@3']));
    for (const line of sampled.lines) expect(line).toMatchObject({ flows: 3, success: expect.any(Boolean) as boolean });
  });

  it('runs tasks that training never saw, from a file, in its order', async () => {
    const tasks = Array.from({ length: 70 }, (_, i) => ({
      id: `new-${i}`,
      target: 20,
      rooms: [{ degrees: 20 + (i % 5) - 2, windowOpen: false }],
    }));
    writeFileSync(join(folder.path, 'new.json'), JSON.stringify(tasks));
    const { lines, summary } = await results(JOB, '--checkpoint', checkpoint, '--tasks', 'new.json');
    expect(lines.map(({ id }) => id)).toEqual(tasks.map(({ id }) => id));
    expect(summary.tasks).toBe(70);
    writeFileSync(
      join(folder.path, 'new.jsonl'),
      tasks
        .slice(0, 3)
        .map((task) => `${JSON.stringify(task)}\n`)
        .join(''),
    );
    expect((await results(JOB, '--checkpoint', checkpoint, '--tasks', 'new.jsonl')).lines).toEqual(lines.slice(0, 3));
  });

  it('says why a task failed, and ends with exit code 1 unless as many may fail', async () => {
    const config = faultyJob(['fine', 'broken-tool', 'broken-reward'], ['rounds=1']);
    const { job } = await runSerial(config, { stateDir: join(folder.path, 'faulty') });
    const file = join(REPOSITORY, 'test/flows/faulty.yaml');
    // A tool that would end the process fails like any other that crashes.
    const kinds = 'source={kinds: [fine, broken-tool, broken-reward, exits]}';
    const args = [file, '--checkpoint', job.checkpoint, '--set', kinds, '--set', 'split.heldOut=0.5'];
    const refused = await evaluate(...args, '--concurrency', '1');
    const { lines, summary } = read(refused.stdout);
    const failed = lines.filter((line) => 'failure' in line);
    const crashed = failed.filter(({ failureClass }) => failureClass === 'TOOL_CRASH');
    expect(crashed.length).toBeGreaterThan(0);
    expect(failed.some(({ failure }) => /called process\.exit\(7\); throw an error instead/.test(failure!))).toBe(true);
    expect(failed.length).toBeGreaterThan(crashed.length);
    for (const line of failed)
      expect(line).toMatchObject({
        success: false,
        reward: 0,
        failure: expect.stringMatching(/the lever came off|no verdict|called process\.exit\(7\)/),
      });
    const [successes, judged] = [lines.filter(({ success }) => success).length, lines.length - failed.length];
    expect(summary).toMatchObject({
      ...{ tasks: lines.length, failed: failed.length, notJudged: failed.length, successes, judged, incomplete: true },
      success: successes / judged,
      failures: { TOOL_CRASH: crashed.length, REWARD_FAILED: failed.length - crashed.length },
    });
    expect(summary.judgement).toMatch(
      new RegExp(`^${successes} of ${judged} judged, ${failed.length} not judged \\(.*TOOL_CRASH`),
    );
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`INCOMPLETE: ${summary.judgement}`);
    expect(refused.stderr).toMatch(
      new RegExp(`error: ${failed.length} of ${lines.length} tasks failed for infrastructure reasons`),
    );
    const accepted = await evaluate(...args, '--allow-failed', String(failed.length));
    expect([accepted.code, accepted.stdout]).toEqual([0, refused.stdout]);
    expect(accepted.stderr).toContain(summary.judgement);
    expect((await evaluate(...args, '--allow-failed', String(failed.length - 1))).code).toBe(1);
  });

  it('waits for a service that asks to be called later, and prints nothing but results to stdout', async () => {
    const file = join(REPOSITORY, 'test/flows/outage.yaml');
    const { config } = loadJobConfig(file, { overrides: ['rounds=1'] });
    const { job } = await runSerial(config, { stateDir: join(folder.path, 'outage') });
    const away = join(folder.path, 'away');
    for (const where of ['tool', 'reward']) {
      writeFileSync(away, '');
      const source = `source={file: ${away}, where: ${where}}`;
      const command = millrace(['eval', file, '--checkpoint', job.checkpoint, '--set', source, '-o', 'json'], {
        cwd: folder.path,
      });
      await command.until(new RegExp(`waiting for ${where}.* to answer again: lever API: HTTP 429`));
      expect(command.stdout).toBe('');
      rmSync(away);
      expect(await command.ended).toBe(0);
      expect(command.stderr).toMatch(/the lever API is away[^]*all calls are answered again/);
      const { lines, summary } = read(command.stdout);
      expect(summary).toMatchObject({ tasks: lines.length, failed: 0, notJudged: 0 });
    }
  });

  it('refuses what it cannot evaluate, and says what and where', async () => {
    const damaged = join(folder.path, 'damaged');
    cpSync(checkpoint, damaged, { recursive: true });
    const model = join(damaged, 'model.safetensors');
    const bytes = readFileSync(model);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(model, bytes);
    const torn = join(folder.path, 'torn');
    cpSync(checkpoint, torn, { recursive: true });
    writeFileSync(join(torn, 'manifest.json'), readFileSync(join(checkpoint, 'manifest.json'), 'utf8').slice(0, 100));
    mkdirSync(join(folder.path, 'empty'));
    const rooms = [{ degrees: 20, windowOpen: false }];
    writeFileSync(
      join(folder.path, 'bad.json'),
      JSON.stringify(
        [
          { id: 'a', target: 20, rooms },
          { id: 'b', target: 'warm', rooms },
        ],
        null,
        1,
      ),
    );
    writeFileSync(
      join(folder.path, 'twice.json'),
      JSON.stringify([
        { id: 'a', target: 20, rooms },
        { id: 'a', target: 21, rooms },
      ]),
    );
    writeFileSync(join(folder.path, 'none.json'), '[]');
    const cases: [string[], number, RegExp][] = [
      [[JOB, '--checkpoint', 'nowhere'], 3, /nowhere is not a checkpoint: manifest\.json cannot be read \(ENOENT\)/],
      [
        [JOB, '--checkpoint', checkpoint, '--concurrency', '0'],
        2,
        /--concurrency: got "0", expected a whole number from 1 to 1024/,
      ],
      [[JOB, '--checkpoint', checkpoint, '--allow-failed', 'x'], 2, /--allow-failed: got "x"/],
      [[JOB, '--checkpoint', 'empty'], 3, /empty is not a checkpoint/],
      [[JOB, '--checkpoint', damaged], 1, /model\.safetensors is damaged: its SHA-256 is not the one in manifest\.json/],
      [[JOB, '--checkpoint', torn], 1, /manifest\.json is damaged/],
      [
        [JOB, '--checkpoint', checkpoint, '--tasks', 'bad.json'],
        2,
        /1 of 2 tasks .* are wrong:\n {2}.*bad\.json:\d+ \(task 1\): field target: .*number.* \(got "warm"\)/,
      ],
      [[JOB, '--checkpoint', checkpoint, '--tasks', 'twice.json'], 2, /twice\.json:1 \(task 1\): id 'a' is already the id of/],
      [[JOB, '--checkpoint', checkpoint, '--tasks', 'none.json'], 2, /loaded no tasks from .*none\.json/],
      [[JOB, '--checkpoint', checkpoint, '--tasks', 'nowhere.json'], 3, /nowhere\.json: cannot be read \(ENOENT\)/],
      [
        [join(REPOSITORY, 'test/flows/faulty.yaml'), '--checkpoint', checkpoint],
        1,
        /The checkpoint is for the tools heat\/1, .*; the flow has left\/0, right\/0\./,
      ],
    ];
    const ended = await millraceInTurn(
      cases.map(([args]) => ['eval', ...args]),
      folder.path,
    );
    for (const [i, [args, code, says]] of cases.entries()) {
      expect([args.join(' '), ended[i]!.code, ended[i]!.stdout]).toEqual([args.join(' '), code, '']);
      expect(ended[i]!.stderr).toMatch(says);
      expect(ended[i]!.stderr).not.toMatch(/\n\s+at /);
    }
  });
});
