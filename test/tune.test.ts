import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TuneResult } from '../cluster/cli/tune/report.ts';
import { millrace, millraceToEnd, processesGone, processesOf, REPOSITORY, type RunningCommand } from './support/command.ts';
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

const JOB = `job: ${join(REPOSITORY, 'docs/first-flow/job.yaml')}\n`;

/** Writes a tune file and starts the search, with a smaller network. */
function tune(name: string, text: string, ...args: string[]): RunningCommand {
  const file = join(folder.path, name);
  writeFileSync(file, JOB + text);
  running = millrace(['--state', folder.path, 'tune', file, '--set', 'policy.hidden=16', ...args]);
  return running;
}

/** For a search whose trials need not learn much. */
const SMALL = ['rounds=24', 'rollout.groupsPerRound=4', 'rollout.groupSize=8'].flatMap((setting) => ['--set', setting]);
const ONE_EACH = ['--learners', '1', '--rollouts', '1'];

const resultIn = (name: string): TuneResult => JSON.parse(readFileSync(join(folder.path, name), 'utf8')) as TuneResult;

describe('millrace tune', () => {
  it('runs trials as jobs, stops the losers, and reports', async () => {
    // The job's own learning rate is 0.02. With 0 nothing is learned, so that trial cannot keep up.
    const text = `parameters:
  optimizer.learningRate: { choices: [0, 0.02, 0.03] }
trials: 5
halving: { rounds: [12, 24], keep: 0.5 }
`;
    const command = tune('small.yaml', text, ...ONE_EACH, '--json', join(folder.path, 'small.json'));
    expect(await command.ended, command.stderr).toBe(0);
    expect(await processesOf(folder.path)).toEqual([]);

    const { state, trials, best, rounds } = resultIn('small.json');
    // Three choices are three trials, whatever was asked for.
    expect(state).toBe('exhausted');
    expect(trials.map(({ values }) => Number(values['optimizer.learningRate'])).sort()).toEqual([0, 0.02, 0.03]);
    expect(trials[0]).toMatchObject({ number: 1, values: { 'optimizer.learningRate': 0.02 }, state: 'done', rounds: 24 });
    expect(trials[0]!.measurements.map(({ round }) => round)).toEqual([12, 24]);
    expect(trials[0]!.measurements.map(({ trajectories }) => trajectories)).toEqual([12 * 128, 24 * 128]);
    const idle = trials.find(({ values }) => values['optimizer.learningRate'] === 0)!;
    expect(idle.state).toBe('stopped');
    expect(idle.rounds).toBeGreaterThanOrEqual(12);
    expect(idle.rounds).toBeLessThanOrEqual(24);
    const winner = trials.find(({ number }) => number === best!.trial)!;
    expect(winner.state).toBe('done');
    expect(best!.objective).toBe(
      Math.max(...trials.filter((trial) => trial.state === 'done').map(({ objective }) => objective!)),
    );
    expect(rounds.trained).toBe(trials.reduce((sum, trial) => sum + trial.rounds, 0));

    // One line at the beginning and one at the end of each trial, on stderr; the report and nothing else on stdout.
    expect(command.stderr.match(/^trial \d\/5 · /gm)).toHaveLength(6);
    expect(command.stderr).toMatch(/^trial 1\/5 · done, 24 rounds · held out \d+\.\d % · .* · best \d+\.\d % \(trial 1\)$/m);
    expect(command.stdout + command.stderr).not.toMatch(/[\r\x1b]/);
    expect(command.stdout).toMatch(/^\nTrials \(\* the best\)\n/);
    expect(command.stdout).toMatch(/Best held-out success so far[^]*\nBest: trial \d, job thermostat-tune-\w+-\d: /);
    expect(command.stdout).toMatch(/\noptimizer:\n {2}learningRate: 0\.0[23]\n/);
  });

  it('is interrupted, killed, and goes on with the trial that was under way', async () => {
    const text = `parameters:
  optimizer.learningRate: { log: [0.01, 0.04] }
  algorithm.entropy: { linear: [0, 0.05] }
trials: 3
objective: { trajectories-to: 1 }
halving: { rounds: [12] }
`;
    const first = tune('longer.yaml', text, ...SMALL, ...ONE_EACH, '--json', join(folder.path, 'first.json'));
    await first.until(/^trial 2\/3 · learningRate/m, 120_000);
    first.interrupt();
    expect(await first.ended).toBe(130);
    expect(first.stderr).toMatch(
      /trial 2 (is paused|waits in the queue|has not begun); `millrace tune .*longer\.yaml --resume` goes on/,
    );
    expect(first.stderr).not.toMatch(/error|\n {4}at /i);
    expect(first.stdout).toMatch(/Best: trial 1, /);
    const found = resultIn('first.json');
    expect(found.state).toBe('interrupted');
    expect(found.trials).toHaveLength(1);
    expect(await processesOf(folder.path)).toEqual([]);

    const second = tune('longer.yaml', text, ...SMALL, ...ONE_EACH, '--resume');
    await second.until(/going on after trial 1 of 3/);
    await second.until(/^trial 2\/3 · (done|reached)[^]*^trial 3\/3 · learningRate/m, 120_000);
    second.kill('SIGKILL');
    expect(await second.ended).toBe('SIGKILL');
    expect(await processesGone(folder.path, 10_000)).toEqual([]);

    const third = tune('longer.yaml', text, ...SMALL, ...ONE_EACH, '--resume', '--json', join(folder.path, 'third.json'));
    expect(await third.ended, third.stderr).toBe(0);
    const { state, trials } = resultIn('third.json');
    expect(state).toBe('finished');
    expect(trials).toHaveLength(3);
    expect(trials[0]).toEqual(found.trials[0]);
    expect(new Set(trials.map(({ job }) => job)).size).toBe(3);
    for (const trial of trials) {
      expect(['done', 'reached']).toContain(trial.state);
      expect(trial.objective === null).toBe(!trial.measurements.some(({ success }) => success >= 1));
    }
    expect(await processesOf(folder.path)).toEqual([]);

    // It is over: asked again, it says the same at once; changed, it is another search.
    const again = await millraceToEnd(
      ['--state', folder.path, 'tune', join(folder.path, 'longer.yaml'), '--set', 'policy.hidden=16', ...SMALL, '--resume'],
      { timeoutMs: 30_000 },
    );
    expect(again.code).toBe(0);
    expect(again.stderr).not.toContain('starting');
    const changed = tune('longer.yaml', text.replace('0.04', '0.05'), ...SMALL, '--resume');
    expect(await changed.ended).toBe(1);
    expect(changed.stderr).toMatch(
      /cannot go on, since this has changed: parameters\. Put it back, or start anew without --resume/,
    );
  });

  it.each<[string, string, number, RegExp]>([
    [
      'an unknown path',
      'trials: 2\nparameters: { optimizer.learningrate: { log: [1e-3, 1e-2] } }\n',
      2,
      /tune\.yaml:3: unknown key "optimizer\.learningrate"; did you mean "optimizer\.learningRate"\?/,
    ],
    [
      'an end beyond what the job takes',
      'trials: 2\nparameters: { rollout.groupSize: { linear: [0, 16] } }\n',
      2,
      /tune\.yaml:3: rollout\.groupSize: got 0, expected an integer from 1 to 1024/,
    ],
    [
      'no trials',
      'parameters: { optimizer.learningRate: { log: [1e-3, 1e-2] } }\n',
      2,
      /trials is missing: expected an integer from 1/,
    ],
    ['nothing to search', 'trials: 2\nparameters: {}\n', 2, /tune\.yaml:3: parameters: .*expected at least one parameter/],
  ])('refuses %s before anything is started', async (name, text, code, says) => {
    const cwd = join(folder.path, name.replaceAll(' ', '-'));
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'tune.yaml'), JOB + text);
    const ended = await millraceToEnd(['tune', 'tune.yaml'], { cwd, timeoutMs: 30_000 });
    expect(ended, ended.stderr).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).not.toMatch(/\n\s+at |node:internal|MillraceError|ZodError/);
    expect(existsSync(join(cwd, '.millrace'))).toBe(false);
  });

  it('has nothing to go on with where there was no search', async () => {
    const none = await millraceToEnd(['--state', join(folder.path, 'none'), 'tune', 'examples/retail/tune.yaml', '--resume']);
    expect(none).toMatchObject({ code: 3, stdout: '' });
    expect(none.stderr).toMatch(/There is no search to go on with: no .*retail-tune\.json\. Start one without --resume/);
  });
});
