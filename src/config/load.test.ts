import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../errors.ts';
import { loadJobConfig, parseJobConfig, type LoadJobOptions } from './load.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  writeFileSync(join(folder, 'flow.ts'), 'export default 1;\n');
  mkdirSync(join(folder, 'tasks'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MINIMAL = 'name: demo\nflow: flow.ts\n';

function load(text: string, options: LoadJobOptions = {}): ReturnType<typeof loadJobConfig> {
  const file = join(folder, 'job.yaml');
  writeFileSync(file, text);
  return loadJobConfig(file, { cwd: folder, ...options });
}

function failure(run: () => unknown): MillraceError {
  try {
    run();
  } catch (error) {
    if (error instanceof MillraceError) return { ...error, message: error.message.replaceAll(`${folder}/`, '') } as MillraceError;
    throw error;
  }
  throw new Error('expected an error');
}

describe('loadJobConfig', () => {
  it('fills in defaults and says where each value is from', () => {
    const { config, sources, file } = load(`${MINIMAL}rollout:\n  groupSize: 4\nsource:\n  tasks: 10\n`);
    expect(file).toBe(join(folder, 'job.yaml'));
    expect(config.rollout).toMatchObject({ groupSize: 4, groupsPerRound: 16, maxStaleness: 1 });
    expect(config.source).toEqual({ tasks: 10 });
    expect(sources).toMatchObject({
      name: 'file',
      'rollout.groupSize': 'file',
      'rollout.groupsPerRound': 'default',
      'source.tasks': 'file',
      'optimizer.learningRate': 'default',
    });
    expect(sources['data']).toBeUndefined();
  });

  it('lets file, environment and flags win in this order', () => {
    const text = `${MINIMAL}rollout:\n  groupSize: 4\n  groupsPerRound: 4\n  maxStaleness: 4\n`;
    const { config, sources } = load(text, {
      env: {
        MILLRACE_JOB__ROLLOUT__GROUPS_PER_ROUND: '5',
        millrace_job__rollout__maxstaleness: '5',
        PATH: '/bin',
        MILLRACE_JOB__SEED: '',
      },
      overrides: ['rollout.maxStaleness=6', 'source.noise=0.5', 'rollout.maxStaleness=7'],
      flags: { rounds: 12, data: undefined },
    });
    expect(config.rollout).toMatchObject({ groupSize: 4, groupsPerRound: 5, maxStaleness: 7 });
    expect(config).toMatchObject({ rounds: 12, seed: 1, source: { noise: 0.5 } });
    expect(sources).toMatchObject({
      'rollout.groupSize': 'file',
      'rollout.groupsPerRound': 'environment',
      'rollout.maxStaleness': 'flag',
      'source.noise': 'flag',
      rounds: 'flag',
      seed: 'default',
    });
  });

  it('reads flags as YAML scalars, but text where text is wanted', () => {
    const { config } = load(MINIMAL, {
      overrides: ['name=007', 'evaluation.baselines=false', 'source.list=[1, two]', 'optimizer.epsilon=1e-6'],
    });
    expect(config).toMatchObject({
      name: '007',
      evaluation: { baselines: false },
      source: { list: [1, 'two'] },
      optimizer: { epsilon: 1e-6 },
    });
  });

  it('resolves paths against the file, and those of flags against the working directory', () => {
    const inFile = load(`${MINIMAL}data: tasks\n`, { cwd: tmpdir() });
    expect(inFile.config).toMatchObject({ flow: join(folder, 'flow.ts'), data: join(folder, 'tasks') });
    const flag = load(MINIMAL, { flags: { data: './tasks' }, cwd: folder });
    expect(flag.config.data).toBe(join(folder, 'tasks'));
  });

  it('names an unknown key, its line and the nearest valid one', () => {
    const error = failure(() => load(`${MINIMAL}rollout:\n  temperature: 1\n  groupsize: 4\n`));
    expect(error).toMatchObject({ code: 'invalid_argument', field: 'rollout.groupsize' });
    expect(error.message).toMatch(
      /^job\.yaml:5: unknown key "rollout\.groupsize"; did you mean "rollout\.groupSize"\? Keys of rollout: groupSize, /,
    );
  });

  it('names field, place, what was got and what is allowed, for every problem at once', () => {
    const error = failure(() =>
      load('name: Retail!\nflow: flow.ts\nrollout:\n  groupSize: 0\npolicy:\n  encoder: lstm\n  embed: 2.5\nsplit: 3\n'),
    );
    expect(error.field).toBe('name');
    expect(error.message.split('\n')).toEqual([
      'job.yaml:1: name: got "Retail!", expected text (job name: lower-case letters, digits and "-", at most 40)',
      'job.yaml:8: split: got 3, expected a section with the keys heldOut, test',
      'job.yaml:7: policy.embed: got 2.5, expected an integer from 1 to 1024',
      'job.yaml:6: policy.encoder: got "lstm", expected one of bag, gru, transformer',
      'job.yaml:4: rollout.groupSize: got 0, expected an integer from 1 to 1024',
    ]);
  });

  it('says which variable or flag is wrong', () => {
    const env = failure(() => load(MINIMAL, { env: { MILLRACE_JOB__ROUNDS: 'many' } }));
    expect(env).toMatchObject({
      field: 'rounds',
      message: 'MILLRACE_JOB__ROUNDS: rounds: got "many", expected an integer from 0 to 10000000',
    });
    expect(failure(() => load(MINIMAL, { env: { MILLRACE_JOB__ROLOUT__GROUPSIZE: '4' } })).message).toMatch(
      /^MILLRACE_JOB__ROLOUT__GROUPSIZE: unknown key "ROLOUT"; did you mean "rollout"\?/,
    );
    expect(failure(() => load(MINIMAL, { overrides: ['rollout.groupSize=0'] })).message).toMatch(
      /^--set rollout\.groupSize: rollout\.groupSize: got 0,/,
    );
    expect(failure(() => load(MINIMAL, { overrides: ['rollout.groupsize=4'] })).message).toMatch(
      /did you mean "rollout\.groupSize"/,
    );
    expect(failure(() => load(MINIMAL, { overrides: ['rounds.x=4'] })).message).toBe(
      '--set rounds.x: rounds is a value and has no key "x"',
    );
    expect(failure(() => load(MINIMAL, { overrides: ['rounds'] })).message).toMatch(/expected key=value/);
    expect(failure(() => load(MINIMAL, { overrides: ['rounds=[1'] })).message).toMatch(/"\[1" is no YAML value/);
    expect(failure(() => load(MINIMAL, { flags: { rounds: -1 } })).message).toMatch(/^--rounds: rounds: got -1/);
  });

  it('tells missing fields, missing files and a wrong section', () => {
    expect(failure(() => load('')).message).toBe(
      'job.yaml: name is missing: expected text (job name: lower-case letters, digits and "-", at most 40)\n' +
        "job.yaml: flow is missing: expected text (path of the flow's module, relative to the job file)",
    );
    expect(failure(() => load('name: demo\nflow: nowhere.ts\n'))).toMatchObject({
      code: 'not_found',
      field: 'flow',
      message: 'job.yaml:2: flow: there is no nowhere.ts',
    });
    expect(failure(() => load(MINIMAL, { flags: { data: 'gone' } }))).toMatchObject({ code: 'not_found', field: 'data' });
    expect(failure(() => loadJobConfig(join(folder, 'none.yaml')))).toMatchObject({ code: 'not_found' });
    expect(failure(() => loadJobConfig(folder)).message).toMatch(/is a folder/);
    expect(failure(() => load(`${MINIMAL}rollout: 3\n`, { overrides: ['rollout.groupSize=4'] })).message).toMatch(
      /^job\.yaml:3: rollout: got 3, expected a section/,
    );
  });

  it('finds the modules of reward components, and says which is missing', () => {
    const reward = 'reward:\n  shaping: default\n  components:\n    - { name: mine, weight: 1, module: ./flow.ts }\n';
    expect(load(`${MINIMAL}${reward}`, { cwd: tmpdir() }).config.reward.components).toEqual([
      { name: 'mine', weight: 1, module: join(folder, 'flow.ts') },
    ]);
    const missing = (override?: string) =>
      failure(() =>
        load(`${MINIMAL}${reward.replace('flow.ts', 'none.ts')}`, { overrides: override === undefined ? [] : [override] }),
      );
    expect(missing()).toMatchObject({
      code: 'not_found',
      field: 'reward.components.0.module',
      message: 'job.yaml:5: reward.components.0.module: there is no none.ts',
    });
    expect(missing('reward.components=[{name: a, weight: 1, module: gone.ts}]').message).toMatch(
      /^reward\.components \(from flag\): reward\.components\.0\.module: there is no gone\.ts$/,
    );
  });

  it('finds a base model in the home folder, which each node has for itself, and says how to get the one that is known', () => {
    const policy = (base: string): string => `${MINIMAL}policy:\n  kind: llama\n  base: ${base}\n`;
    const home = mkdtempSync(join(folder, 'home-'));
    writeFileSync(join(home, 'a.gguf'), '');
    vi.stubEnv('HOME', home);
    expect(load(policy('~/a.gguf')).config.policy).toMatchObject({ base: '~/a.gguf' });
    const { message } = failure(() => load(policy('~/b.gguf')));
    expect(message).toMatch(/^job\.yaml:5: policy\.base: there is no .*b\.gguf$/);
    const known = failure(() => load(policy('~/.cache/millrace/models/SmolLM2-135M-Instruct.Q4_1.gguf')));
    expect(known).toMatchObject({ code: 'not_found', field: 'policy.base' });
    expect(known.message).toMatch(/Q4_1\.gguf; `npm run setup:smollm2` fetches it \(93 MB\)$/);
    vi.unstubAllEnvs();
  });

  it('gives line and column of bad YAML', () => {
    expect(failure(() => load('name: demo\nflow: [x\n')).message).toMatch(/^job\.yaml:\d+:\d+: not valid YAML: /);
    expect(failure(() => load('name: a\nname: b\nflow: flow.ts\n')).message).toMatch(/^job\.yaml:2:1: not valid YAML: .*unique/);
    expect(failure(() => load('- a\n- b\n')).message).toBe('job.yaml:1: expected "key: value" lines, got a list');
    expect(failure(() => load(`${MINIMAL}__proto__:\n  rounds: 2\n`)).message).toMatch(/unknown key "__proto__"/);
    expect(failure(() => load(`${MINIMAL}source: &a\n  x: *b\n`)).message).toMatch(/not (valid|usable) YAML/);
    expect(failure(() => load(`a: ${'x'.repeat(1024 * 1024)}`)).message).toMatch(/at most 1048576/);
  });

  it('takes an empty section as absent, but not an empty value', () => {
    expect(load(`${MINIMAL}rollout:\n  # groupSize: 4\n`).config.rollout.groupSize).toBe(8);
    expect(failure(() => load(`${MINIMAL}rounds:\n`)).message).toMatch(/^job\.yaml:3: rounds: got null, expected an integer/);
  });

  it('gives the reason for what fields allow together', () => {
    const error = failure(() => load(`${MINIMAL}policy:\n  encoder: gru\n  width: 33\n`));
    expect(error.field).toBe('policy.width');
    expect(error.message).toBe(
      "job.yaml:5: policy.width: got 33, expected an even number, since each of the gru encoder's two directions gets half of it",
    );
    expect(failure(() => load(`${MINIMAL}policy: { encoder: transformer, width: 30 }\n`)).message).toMatch(
      /multiple of 4, since/,
    );
    expect(failure(() => load(`${MINIMAL}policy: { buckets: 1000000, embed: 1024 }\n`)).message).toMatch(
      /at most 65536 with embed 1024, since/,
    );
  });
});

describe('parseJobConfig', () => {
  it('takes JSON text or a value and leaves paths alone', () => {
    const config = parseJobConfig('{"name": "demo", "flow": "./x.ts", "rounds": 3}');
    expect(config).toMatchObject({ name: 'demo', flow: './x.ts', rounds: 3, rollout: { groupSize: 8 } });
    expect(parseJobConfig({ name: 'demo', flow: 'x' }).seed).toBe(1);
  });

  it.each([
    ['{', /^not valid JSON: /],
    ['null', /^config_json: got null, expected a section/],
    ['[]', /^config_json: got \[\], expected a section/],
    ['{"name":"a","flow":"x","round":3}', /^config_json: unknown key "round"; did you mean "rounds"\?/],
    ['{"name":"a","flow":"x","rollout":{"groupSize":"4"}}', /^config_json: rollout\.groupSize: got "4", expected an integer/],
    ['{"name":"a","flow":"x","seed":null}', /^config_json: seed: got null, expected an integer/],
  ])('rejects %s', (json, message) => {
    const error = failure(() => parseJobConfig(json));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toMatch(message);
  });
});
