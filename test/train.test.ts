import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainingReport } from '../cluster/report/report.ts';
import { millrace, millraceToEnd, processesGone, processesOf, type RunningCommand } from './support/command.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let running: RunningCommand | undefined;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(async () => {
  running?.kill('SIGKILL');
  await processesGone(folder.path, 10_000);
  await folder.remove();
});

const JOB = 'docs/first-flow/job.yaml';
const SMALL = ['policy.hidden=16', 'rollout.groupsPerRound=4'].flatMap((setting) => ['--set', setting]);
const ONE_EACH = ['--learners', '1', '--rollouts', '1'];

function train(...args: string[]): RunningCommand {
  running = millrace(['--state', folder.path, 'train', ...args]);
  return running;
}

const reportIn = (name: string): TrainingReport => JSON.parse(readFileSync(join(folder.path, name), 'utf8')) as TrainingReport;

/** The round that plain progress lines have come to. */
const roundOf = ({ stderr }: RunningCommand): number =>
  Math.max(-1, ...[...stderr.matchAll(/^round +(\d+)\//gm)].map((match) => Number(match[1])));

async function untilRound(command: RunningCommand, round: number): Promise<number> {
  const deadline = Date.now() + 60_000;
  while (roundOf(command) < round && Date.now() < deadline)
    await command.until(/^round/m).then(() => new Promise((r) => setTimeout(r, 50)));
  expect(roundOf(command)).toBeGreaterThanOrEqual(round);
  return roundOf(command);
}

describe('millrace train', () => {
  it('trains, reports on stdout and as JSON, and leaves nothing running', async () => {
    const command = train(
      JOB,
      ...SMALL,
      '--set',
      'rounds=10',
      '--set',
      'evaluation.every=5',
      '--report',
      join(folder.path, 'report.json'),
    );
    expect(await command.ended).toBe(0);
    expect(await processesOf(folder.path)).toEqual([]);
    for (const name of ['admin.json', 'lock']) expect(existsSync(join(folder.path, name))).toBe(false);

    const report = reportIn('report.json');
    expect(Object.keys(report).sort()).toEqual(
      [
        ...['job', 'state', 'heldOut', 'outcome', 'trajectories', 'trainSeconds', 'totalSeconds', 'trajectoriesPerSecond'],
        ...['curve', 'accounting', 'processes', 'checkpoint', 'collapse'],
      ].sort(),
    );
    const { heldOut, curve, accounting, processes } = report;
    expect(report).toMatchObject({ job: 'thermostat-1', state: 'succeeded', collapse: null });
    expect(Object.keys(heldOut)).toEqual(
      expect.arrayContaining(['doNothing', 'oracle', 'random', 'tasks', 'trained', 'untrained']),
    );
    expect(heldOut).toMatchObject({ incomplete: false, trained: { judged: 20, notJudged: 0, failures: {}, incomplete: false } });
    expect(heldOut.baselines.oracle).toMatchObject({ success: 1, text: '100.0 %', judged: 20 });
    expect(heldOut.tasks).toBe(20);
    expect(heldOut.oracle).toBe(1);
    for (const share of [
      heldOut.doNothing,
      heldOut.random,
      heldOut.untrained,
      heldOut.trained?.success,
      ...heldOut.trained!.ci95,
    ])
      expect(share).toSatisfy((value: number) => value >= 0 && value <= 1);
    const [low, high] = heldOut.trained!.ci95;
    expect(low).toBeLessThanOrEqual(heldOut.trained!.success!);
    expect(high).toBeGreaterThanOrEqual(heldOut.trained!.success!);

    expect(Object.keys(accounting).sort()).toEqual(['expired', 'failed', 'filtered', 'requests', 'trained']);
    expect(accounting.requests).toBe(accounting.trained + accounting.filtered + accounting.expired + accounting.failed);
    expect(accounting.trained + accounting.filtered).toBe(40);
    expect(report.trajectories).toBe(40 * 16);
    expect(curve.map(({ trajectories }) => trajectories)).toEqual([0, 320, 640]);
    expect(curve.at(-1)!.success).toBe(heldOut.trained!.success);
    expect(report.trainSeconds).toBeGreaterThan(0);
    expect(report.totalSeconds).toBeGreaterThan(report.trainSeconds);
    expect(curve.at(-1)!.seconds).toBeLessThanOrEqual(report.trainSeconds + 0.001);
    expect(report.trajectoriesPerSecond).toBeCloseTo(report.trajectories / report.trainSeconds, 6);
    expect(processes.map(({ role }) => role).sort()).toEqual([
      ...[
        'coordinator',
        'gateway',
        'learner',
        'learner',
        'nats-server',
        'parameter-server',
        'reward',
        'rollout',
        'rollout',
        'store',
        'supervisor',
      ],
    ]);
    for (const { role, peakRssBytes, cpuSeconds } of processes) {
      expect([role, peakRssBytes > 1e6, cpuSeconds > 0]).toEqual([role, true, true]);
    }
    expect(existsSync(join(report.checkpoint, 'manifest.json'))).toBe(true);

    // Progress: plain lines without control characters on stderr; the report and nothing else on stdout.
    expect(command.stderr).toMatch(
      /^round +\d+\/10 · reward \d\.\d\d · held out \d+\.\d % · ([\d.]+ trajectories\/s · )?staleness \d/m,
    );
    expect(command.stderr).not.toMatch(/[\r\x1b]/);
    expect(command.stdout).not.toMatch(/[\r\x1b]/);
    expect(command.stdout).toMatch(
      /^\nOn \d+ test tasks, measured once: version \d+, the best on 20 validation tasks[^]*Success on 20 validation tasks/,
    );
    for (const part of [
      'uniform random',
      'untrained planner',
      '95 % interval',
      'rule planner',
      'from_version',
      'error_rate',
      'stage ',
    ])
      expect(command.stdout).toContain(part);
    expect(command.stdout).toMatch(/Accounting: (\d+) requests = \d+ trained \+ \d+ filtered \+ \d+ expired \+ \d+ failed/);
  });

  it('is paused by Ctrl-C, survives kill -9 of the whole command, and goes on where it was', async () => {
    const first = train(JOB, ...SMALL, ...ONE_EACH, '--set', 'rounds=60', '--set', 'evaluation.every=30');
    const seen = await untilRound(first, 4);
    first.interrupt();
    expect(await first.ended).toBe(130);
    const [, job, paused] =
      /(thermostat-2) is paused at round (\d+); `millrace train --resume` continues it/.exec(first.stderr) ?? [];
    expect(job).toBe('thermostat-2');
    expect(Number(paused)).toBeGreaterThanOrEqual(seen);
    expect(first.stderr).not.toMatch(/error|\n {4}at /i);
    expect(await processesOf(folder.path)).toEqual([]);

    const second = train('--resume', ...ONE_EACH);
    const [, resumedAt] = await second.until(/going on with thermostat-2 from round (\d+) of 60/);
    expect(Number(resumedAt)).toBeGreaterThanOrEqual(Number(paused));
    const killedAt = await untilRound(second, Number(resumedAt) + 6);
    expect(killedAt).toBeLessThan(60);
    second.kill('SIGKILL');
    expect(await second.ended).toBe('SIGKILL');
    expect(await processesGone(folder.path, 6_000)).toEqual([]);

    const third = train(JOB, '--resume', ...ONE_EACH, '--report', join(folder.path, 'resumed.json'));
    expect(await third.ended).toBe(0);
    const [, again] = /going on with thermostat-2 from round (\d+) of 60/.exec(third.stderr) ?? [];
    expect(Number(again)).toBeGreaterThanOrEqual(killedAt);
    const report = reportIn('resumed.json');
    const { requests, trained, filtered, expired, failed } = report.accounting;
    expect(report.job).toBe('thermostat-2');
    expect(requests).toBe(trained + filtered + expired + failed);
    expect(trained + filtered).toBe(60 * 4);
    expect(report.curve.map(({ trajectories }) => trajectories)).toEqual([0, 1920, 3840]);
    expect(await processesOf(folder.path)).toEqual([]);

    const none = await millraceToEnd(['--state', folder.path, 'train', '--resume']);
    expect(none).toMatchObject({ code: 3, stdout: '' });
    expect(none.stderr).toMatch(/There is no interrupted job in .*; start one without --resume/);
  });
});
