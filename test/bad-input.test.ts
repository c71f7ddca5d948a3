import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../examples/retail/generator/generate.ts';
import { millraceToEnd, processesOf, REPOSITORY } from './support/command.ts';
import { millraceInProcess } from './support/in-process.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const FLOW = readFileSync(join(REPOSITORY, 'docs/first-flow/flow.ts'), 'utf8');
const GOOD = 'name: demo\nflow: ./flow.ts\n';

interface Case {
  /** Files beside the flow; the job is job.yaml. */
  files?: Record<string, string>;
  job?: string;
  args?: string[];
  code?: number;
  /** Whether the command is a process of its own, whose loader says what is wrong with a flow. Default: false. */
  spawned?: boolean;
  says: RegExp;
}

/** Runs in a folder of its own, and checks what holds for every refusal. */
async function refused(
  name: string,
  { files = {}, job = GOOD, args = ['train', 'job.yaml'], code = 2, spawned = false, says }: Case,
): Promise<void> {
  const cwd = join(folder.path, name.replaceAll(/\W+/g, '-'));
  mkdirSync(cwd);
  const all = { 'flow.ts': FLOW, 'job.yaml': job, ...files };
  for (const [file, text] of Object.entries(all)) writeFileSync(join(cwd, file), text);
  const ended = spawned ? await millraceToEnd(args, { cwd, timeoutMs: 20_000 }) : await millraceInProcess(args, cwd);
  expect(ended, ended.stderr).toMatchObject({ code, stdout: '' });
  expect(ended.stderr).toMatch(says);
  expect(ended.stderr).toMatch(/^(.*tasks, \d+ held out\n)?error: /);
  // A paragraph for people: no stack, nothing of Node's own.
  expect(ended.stderr).not.toMatch(/\n\s+at |node:internal|MillraceError|ZodError/);
  expect(ended.stderr.split('\n').length).toBeLessThan(9);
  // Nothing was started, nothing is left.
  expect(existsSync(join(cwd, '.millrace'))).toBe(false);
  expect(await processesOf(cwd)).toEqual([]);
}

describe('what is wrong with a job is told before anything is started', () => {
  it.each(
    Object.entries<Case>({
      'an unknown key': {
        spawned: true,
        job: `${GOOD}rollout:\n  groupsize: 8\n`,
        says: /job\.yaml:4: unknown key "rollout\.groupsize"; did you mean "rollout\.groupSize"\?/,
      },
      'a value of another type': {
        job: `${GOOD}seed: "one"\n`,
        says: /job\.yaml:3: seed: got "one", expected an integer from 0/,
      },
      'a value out of range': {
        job: `${GOOD}rollout: { groupSize: 0 }\n`,
        says: /rollout\.groupSize: got 0, expected an integer from 1/,
      },
      'an encoder of odd width': {
        job: `${GOOD}policy: { encoder: gru, width: 33 }\n`,
        says: /job\.yaml:3: policy\.width: got 33, expected an even number/,
      },
      'a reward without the outcome': {
        job: `${GOOD}reward:\n  components:\n    - { name: step, weight: -0.01 }\n`,
        says: /job\.yaml:4: reward\.components: got .* expected a list with { name: outcome, weight: 1 } in it/,
      },
      'a reward component twice': {
        job: `${GOOD}reward: { components: [{ name: outcome, weight: 1 }, { name: outcome, weight: 2 }] }\n`,
        says: /reward\.components\.1\.name: got "outcome", expected each name once/,
      },
      'a reward component that nobody gives': {
        job: `${GOOD}reward: { shaping: default, components: [{ name: comfort, weight: 1 }] }\n`,
        says: /reward\.components\.0\.name: unknown component "comfort"; known with flow "thermostat": outcome, tool-success/,
      },
      'a potential that the flow has not': {
        job: `${GOOD}reward: { shaping: default, components: [{ name: potential, weight: 1 }] }\n`,
        says: /reward\.components\.0\.name: flow "thermostat" has no potential/,
      },
      'a reward module that is not there': {
        job: `${GOOD}reward: { shaping: default, components: [{ name: mine, weight: 1, module: ./none.ts }] }\n`,
        code: 3,
        says: /job\.yaml:3: reward\.components\.0\.module: there is no .*none\.ts/,
      },
      'a reward module that exports no function': {
        files: { 'mine.ts': 'export const reward = 1;\n' },
        job: `${GOOD}reward: { shaping: default, components: [{ name: mine, weight: 1, module: ./mine.ts }] }\n`,
        says: /reward\.components\.0\.module: .*mine\.ts has no default export; write `export default function reward/,
      },
      'all problems at once': {
        job: 'name: Demo One\nflow: ./flow.ts\nrounds: -1\nround: 1\n',
        says: /job\.yaml:1: name:.*\n.*job\.yaml:3: rounds: got -1.*\n.*job\.yaml:4: unknown key "round"; did you mean "rounds"\?/,
      },
      'no YAML': { job: 'name: demo\nflow: [\n', says: /job\.yaml:3:1: not valid YAML/ },
      'a list': { job: '- a\n', says: /job\.yaml:1: expected "key: value" lines, got a list/ },
      'an empty file': { job: '', says: /job\.yaml: name is missing: expected text/ },
      'no job file': { args: ['train', 'other.yaml'], code: 3, says: /no file .*other\.yaml/ },
      'no flow there': { job: 'name: demo\nflow: ./none.ts\n', code: 3, says: /job\.yaml:2: flow: there is no .*none\.ts/ },
      'a flow without a default export': {
        files: { 'flow.ts': 'export const flow = 1;\n' },
        says: /flow\.ts has no default export; write `export default defineFlow\(/,
      },
      'a flow that is none': {
        files: { 'flow.ts': 'export default { name: "x", tools: {} };\n' },
        says: /flow\.ts: task must be a zod schema/,
      },
      'a flow with a syntax error': {
        spawned: true,
        files: { 'flow.ts': 'export default {\n  name: "x"\n  tools: 1,\n};\n' },
        says: /flow\.ts cannot be imported: SyntaxError: Expected "}" but found "tools" \(.*flow\.ts:3:3\)\n/,
      },
      'a flow that imports what is not there': {
        spawned: true,
        files: { 'flow.ts': 'import { x } from "./missing.ts";\nexport default x;\n' },
        says: /flow\.ts cannot be imported: .*missing\.ts.* imported from .*flow\.ts\n/,
      },
      'a flow that throws': {
        spawned: true,
        files: { 'flow.ts': '\nthrow new Error("not today");\n' },
        says: /flow\.ts cannot be imported: Error: not today \(flow\.ts:2\)/,
      },
      'a split that leaves nothing': {
        files: { 'flow.ts': FLOW.replace('length: 200', 'length: 1') },
        says: /1 tasks leave none for (train|validation) at split\.heldOut 0\.2/,
      },
      'an override that is none': { args: ['train', 'job.yaml', '--set', 'rounds'], says: /--set rounds: expected key=value/ },
      'an override of what is not there': {
        args: ['train', 'job.yaml', '--set', 'optimiser.learningRate=1'],
        says: /--set optimiser\.learningRate: unknown key "optimiser"; did you mean "optimizer"\?/,
      },
      'a flag that is no number': {
        args: ['train', 'job.yaml', '--learners', 'two'],
        says: /--learners: learners: got "two", expected an integer from 1 to 64/,
      },
      'a report that cannot be written': {
        args: ['train', 'job.yaml', '--report', 'no/such/r.json'],
        says: /no\/such\/r\.json cannot be written \(ENOENT\)/,
      },
      'an unknown flag': { args: ['train', 'job.yaml', '--bogus'], says: /unknown option '--bogus'/ },
      'neither a job nor --resume': { args: ['train'], says: /Give a job file, or --resume/ },
      'settings of a cluster that are wrong': {
        args: ['up', '--set', 'ports.admin=70000'],
        says: /ports\.admin: got 70000, expected an integer from 0 to 65535/,
      },
      'a token in the arguments': {
        args: ['--token', 'sixteen characters', 'up'],
        says: /--token: every account of this machine can read the arguments of a process; give --token-file FILE/,
      },
      'a token file that holds none': {
        files: { 'short.token': 'secret' },
        args: ['--token-file', 'short.token', 'up'],
        says: /tokenFile: holds no token of at least 16 characters/,
      },
    }),
  )('%s', async (name, given) => refused(name, given));

  it('a state folder that cannot be made', async () => {
    writeFileSync(join(folder.path, 'file'), '');
    const ended = await millraceToEnd(['--state', join(folder.path, 'file', 'state'), 'up']);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^error: The state folder .* cannot be made \(ENOTDIR\); choose another one with --state\.\n$/);
  });
});

describe('what is wrong with task data is told with its place', () => {
  const { world, tasks } = generate({ users: 20, tasks: 12 }, 1);
  const good = { 'users.json': world.users, 'products.json': world.products, 'orders.json': world.orders, 'tasks.json': tasks };

  /** Writes the data with some files replaced, and gives the arguments that train on it. */
  function dataWith(name: string, files: Record<string, string | undefined>): string[] {
    const data = join(folder.path, name);
    mkdirSync(data);
    for (const [file, value] of Object.entries({ ...good, ...files })) {
      if (value !== undefined)
        writeFileSync(join(data, file), typeof value === 'string' ? value : JSON.stringify(value, null, 2));
    }
    return ['train', join(REPOSITORY, 'examples/retail/job.yaml'), '--data', data];
  }
  const tasksWith = (index: number, change: object): string =>
    JSON.stringify(
      tasks.map((task, i) => (i === index ? { ...task, ...change } : task)),
      null,
      2,
    );
  /** Line of a text in a file that is written as above. */
  const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split('\n').length;

  it('a field of another type', async () => {
    const text = tasksWith(4, { instruction: 12345678 });
    const says = new RegExp(
      `tasks\\.json:${lineOf(text, '12345678')}: record 4 \\(${tasks[4]!.id}\\), field instruction: .*string`,
    );
    await refused('data-type', { args: dataWith('type', { 'tasks.json': text }), says });
  });

  it('a user and a tool that do not exist', async () => {
    const user = tasksWith(2, { user_id: 'nobody_here_1' });
    await refused('data-user', {
      args: dataWith('user', { 'tasks.json': user }),
      says: new RegExp(`tasks\\.json:${lineOf(user, 'nobody_here_1')}: record 2 .*field user_id: names user nobody_here_1`),
    });
    const tool = tasksWith(3, { actions: [{ name: 'rob_the_bank', arguments: {} }] });
    await refused('data-tool', {
      args: dataWith('tool', { 'tasks.json': tool }),
      says: new RegExp(`tasks\\.json:${lineOf(tool, 'rob_the_bank')}: record 3 .*field actions\\.0\\.name: is rob_the_bank`),
    });
  });

  it('a file that is no JSON, and one that is missing', async () => {
    const text = JSON.stringify(tasks, null, 2);
    const broken = text.replace(`"user_id": "${tasks[5]!.user_id}"`, '"user_id": None');
    const says = new RegExp(`tasks\\.json:${lineOf(broken, 'None')}: not JSON: `);
    await refused('data-syntax', { args: dataWith('syntax', { 'tasks.json': broken }), says });
    await refused('data-missing', {
      args: dataWith('missing', { 'orders.json': undefined }),
      code: 3,
      says: /Cannot read .*orders\.json\. A retail data folder holds users\.json/,
    });
    await refused('data-nowhere', {
      args: ['train', 'job.yaml', '--data', 'nowhere'],
      code: 3,
      says: /data: there is no .*nowhere/,
    });
  });
});
