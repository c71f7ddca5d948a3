import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { EvaluationSchema, JobProgressSchema, JobSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { progressLine, progressOf } from './progress.ts';
import type { ProgressView } from './progress.ts';

const running: ProgressView = {
  state: 'running',
  round: 41,
  rounds: 300,
  reward: 0.617,
  heldOut: 0.7124,
  heldOutText: '71.2 %',
  trajectoriesPerSecond: 312.4,
  staleness: 0.4,
  etaSeconds: 92,
  waitingFor: '3 groups',
  quiet: false,
};

describe('progress line', () => {
  it('shows what is known', () => {
    expect(progressLine(running)).toBe(
      'round  41/300 · reward 0.62 · held out 71.2 % · 312 trajectories/s · staleness 0.40 · ETA 1m 32s',
    );
    expect(progressLine({ state: 'running', round: 0, rounds: 300, waitingFor: 'a learner\nto connect', quiet: false })).toBe(
      'round   0/300 · waiting for a learner\\nto connect',
    );
    expect(progressLine({ ...running, state: 'paused', waitingFor: 'someone to resume it' })).toMatch(
      /^paused · round .* waiting for someone to resume it$/,
    );
    expect(progressLine({ ...running, quiet: true })).toMatch(/^round  41\/300 · waiting for 3 groups · reward 0\.62 · /);
    expect(progressLine({ ...running, state: 'succeeded', waitingFor: '' })).not.toMatch(/ETA/);
  });

  it('is cut to the width of the terminal', () => {
    for (const width of [1, 10, 40]) expect(progressLine(running, width)).toHaveLength(width);
    expect(progressLine(running, 400)).toBe(progressLine(running));
  });

  it('reads a job: newest held-out success, rates without failed flows, unknown figures left out', () => {
    const evaluation = (name: string, successes: number, failed = 0) =>
      create(EvaluationSchema, { name, tasks: 20, successes, failed });
    const job = create(JobSchema, {
      state: JobState.RUNNING,
      progress: create(JobProgressSchema, { round: 2, roundsTotal: 10, reward: 0.5, etaSeconds: -1 }),
      evaluations: [evaluation('untrained', 1), evaluation('trained', 9, 2), evaluation('rule', 20)],
    });
    expect(progressOf(job)).toMatchObject({ state: 'running', round: 2, rounds: 10, reward: 0.5, heldOut: 0.5 });
    expect(progressOf(job).heldOutText).toBe('50.0 %, incomplete: 9 of 18 judged, 2 not judged');
    expect(progressOf(job).etaSeconds).toBeUndefined();
    expect(progressOf(job).trajectoriesPerSecond).toBeUndefined();
    expect(progressOf(job).quiet).toBe(false);
    expect(progressOf(create(JobSchema, { progress: { quietSeconds: 30 } })).quiet).toBe(true);
    expect(progressOf(create(JobSchema, { state: JobState.QUEUED }))).toMatchObject({
      state: 'queued',
      round: 0,
      reward: undefined,
    });
  });
});

describe('progress printer', () => {
  function printed(isTTY: boolean, columns = 60) {
    let text = '';
    let now = 0;
    const out = { isTTY, columns, write: (chunk: string) => (text += chunk) };
    return { printer: createProgressPrinter(out, () => now), text: () => text, wait: (ms: number) => (now += ms) };
  }

  it('rewrites one line on a terminal', () => {
    const { printer, text } = printed(true);
    printer.update(running);
    printer.update(running);
    printer.update({ ...running, round: 42 });
    printer.note('reconnected');
    printer.end();
    const lines = text().split('\r\x1b[2K');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toHaveLength(59);
    expect(lines[3]).toMatch(/^reconnected\nround {2}42\/300 .*…\n$/);
  });

  it('prints at most one line a round and a second elsewhere, and the last state always', () => {
    const { printer, text, wait } = printed(false);
    for (let round = 1; round <= 30; round++) {
      printer.update({ ...running, round });
      printer.update({ ...running, round, staleness: 1 });
      wait(100);
    }
    printer.end();
    const rounds = [...text().matchAll(/round +(\d+)/g)].map(([, round]) => Number(round));
    expect(rounds).toEqual([1, 11, 21, 30]);
    expect(text()).not.toMatch(/[\r\x1b]/);
  });

  it('prints a job that is quiet at once, then each minute', () => {
    const { printer, text, wait } = printed(false);
    printer.update(running);
    for (let s = 30; s <= 150; s++) {
      printer.update({ ...running, quiet: true, waitingFor: `groups for ${s} s` });
      wait(1000);
    }
    printer.update({ ...running, round: 42 });
    printer.end();
    const [, ...lines] = text().trimEnd().split('\n');
    expect(lines.map((line) => /for (\d+) s/.exec(line)?.[1])).toEqual(['30', '90', '150', undefined]);
  });

  it('prints a change of state at once', () => {
    const { printer, text } = printed(false);
    printer.update(running);
    printer.update({ ...running, state: 'paused' });
    printer.end();
    expect(text().trimEnd().split('\n')).toHaveLength(2);
  });
});
