import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTuneConfig, type LoadedTune } from './settings.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tune-'));
  writeFileSync(join(folder, 'flow.ts'), 'export default {};\n');
  writeFileSync(join(folder, 'job.yaml'), 'name: demo\nflow: flow.ts\nrounds: 60\noptimizer: { learningRate: 4e-3 }\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, overrides: string[] = []): LoadedTune {
  writeFileSync(join(folder, 'tune.yaml'), text);
  return loadTuneConfig('tune.yaml', { cwd: folder, overrides });
}

const RATE = '  optimizer.learningRate: { log: [1e-3, 2e-2] }';
const GOOD = `job: ./job.yaml\ntrials: 6\nparameters:\n${RATE}\n`;

describe('loadTuneConfig', () => {
  it('fills in what is left out', () => {
    const { plan, job, own } = load(GOOD);
    expect(plan).toEqual({
      space: { 'optimizer.learningRate': { kind: 'log', low: 1e-3, high: 2e-2, integer: false } },
      objective: { kind: 'held-out-success' },
      trials: 6,
      initial: 3,
      seed: 1,
      halving: { rounds: [60], keep: 1 },
    });
    expect(own).toEqual({ 'optimizer.learningRate': 4e-3 });
    expect(job.flow).toBe(join(folder, 'flow.ts'));
  });

  it('reads every setting, and knows which parameters are whole numbers', () => {
    const { plan, jobWith } = load(
      `${GOOD}  rollout.groupSize: { linear: [4, 64] }
  policy.hidden: { log: [16, 256] }
  policy.encoder: { choices: [bag, gru] }
  rollout.temperature: { linear: [1, 2] }
objective: { trajectories-to: 0.85 }
seed: 9
initial: 2
halving: { rounds: [10, 20, 40], keep: 0.3 }
`,
    );
    expect(plan).toMatchObject({ objective: { kind: 'trajectories-to', target: 0.85 }, seed: 9, initial: 2 });
    expect(plan.halving).toEqual({ rounds: [10, 20, 40], keep: 0.3 });
    const kinds = Object.values(plan.space).map((p) => (p.kind === 'choices' ? p.choices : p.integer));
    expect(kinds).toEqual([false, true, true, ['bag', 'gru'], false]);
    const job = jobWith({ 'optimizer.learningRate': 5e-3, 'policy.encoder': 'gru' });
    expect(job).toMatchObject({ optimizer: { learningRate: 5e-3, beta1: 0.9 }, policy: { encoder: 'gru' }, rounds: 60 });
    expect(job.flow).toBe(join(folder, 'flow.ts'));
    expect(() => jobWith({ 'policy.encoder': 'gru', 'policy.width': 33 })).toThrow(
      /policy\.width: got 33, expected an even number/,
    );
  });

  it('puts what was given on the command line into every trial, below the searched values', () => {
    const { job, own, jobWith } = load(GOOD, ['rollout.groupSize=4', 'optimizer.learningRate=0.01']);
    expect(job.rollout.groupSize).toBe(4);
    expect(own).toEqual({ 'optimizer.learningRate': 0.01 });
    expect(jobWith({ 'optimizer.learningRate': 0.002 })).toMatchObject({
      rollout: { groupSize: 4 },
      optimizer: { learningRate: 0.002 },
    });
  });

  it.each<[string, string, RegExp]>([
    ['an unknown key', `${GOOD}trails: 3\n`, /tune\.yaml:5: unknown key "trails"; did you mean "trials"\?/],
    ['no trials', GOOD.replace('trials: 6\n', ''), /tune\.yaml: trials is missing: expected an integer from 1 to 150/],
    ['no trial at all', GOOD.replace('6', '0'), /tune\.yaml:2: trials: got 0, expected an integer from 1/],
    [
      'no parameters',
      'job: ./job.yaml\ntrials: 3\nparameters: {}\n',
      /tune\.yaml:3: parameters: got \{\}, expected at least one parameter/,
    ],
    [
      'an unknown path',
      GOOD.replace('learningRate', 'learningrate'),
      /tune\.yaml:4: unknown key "optimizer\.learningrate"; did you mean "optimizer\.learningRate"\?/,
    ],
    ['a section', GOOD.replace('.learningRate', ''), /tune\.yaml:4: optimizer: got 0\.001, expected a section with the keys/],
    [
      'a lower end that the job does not take',
      `${GOOD}  rollout.groupSize: { linear: [0, 16] }\n`,
      /tune\.yaml:5: rollout\.groupSize: got 0, expected an integer from 1 to 1024/,
    ],
    [
      'an upper end that the job does not take',
      `${GOOD}  algorithm.clipLow: { linear: [0.1, 2] }\n`,
      /tune\.yaml:5: algorithm\.clipLow: got 2, expected a number from 0 to 1/,
    ],
    [
      'a choice that the job does not take',
      `${GOOD}  policy.encoder: { choices: [bag, lstm] }\n`,
      /tune\.yaml:5: policy\.encoder: got "lstm", expected one of bag, gru, transformer/,
    ],
    [
      'ends the wrong way round',
      GOOD.replace('[1e-3, 2e-2]', '[2e-2, 1e-3]'),
      /tune\.yaml:4: .*expected \[low, high\]: two numbers greater than 0/,
    ],
    ['the logarithm of 0', GOOD.replace('1e-3', '0'), /tune\.yaml:4: .*log: got \[0,0\.02\], expected .*greater than 0/],
    [
      'two kinds of search',
      GOOD.replace('{ log', '{ choices: [1, 2], log'),
      /tune\.yaml:4: .*expected one of linear: \[low, high\], log/,
    ],
    [
      'an unknown kind of search',
      GOOD.replace('log', 'logarithmic'),
      /unknown key "parameters\.optimizer\.learningRate\.logarithmic"; did you mean/,
    ],
    [
      'one choice only',
      `${GOOD}  policy.encoder: { choices: [bag] }\n`,
      /tune\.yaml:5: .*expected a list of at least two values, each once/,
    ],
    [
      'what must not change',
      `${GOOD}  split.heldOut: { linear: [0.1, 0.5] }\n`,
      /tune\.yaml:5: .*"split\.heldOut" cannot be searched: split is the same/,
    ],
    [
      'an unknown objective',
      `${GOOD}objective: accuracy\n`,
      /tune\.yaml:5: objective: got "accuracy", expected held-out-success, or/,
    ],
    [
      'a target beyond everything',
      `${GOOD}objective: { trajectories-to: 85 }\n`,
      /expected held-out-success, or \{ trajectories-to: share \}/,
    ],
    [
      'rungs the wrong way round',
      `${GOOD}halving: { rounds: [20, 10] }\n`,
      /tune\.yaml:5: halving\.rounds: got \[20,10\], expected rounds, ascending/,
    ],
    ['more initial trials than trials', `${GOOD}initial: 7\n`, /tune\.yaml:5: initial: got 7, expected at most the 6 trials/],
    ['a job that is not there', GOOD.replace('job.yaml', 'jobs.yaml'), /tune\.yaml:1: job: there is no .*jobs\.yaml/],
  ])('refuses %s', (_, text, message) => {
    expect(() => load(text)).toThrow(message);
  });

  it('reads the example', () => {
    const { plan } = loadTuneConfig(fileURLToPath(new URL('../../examples/retail/tune.yaml', import.meta.url)));
    expect(plan.trials).toBe(8);
    expect(plan.halving.rounds).toHaveLength(3);
  });
});
