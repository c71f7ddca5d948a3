// npm run test:package: packs Millrace, installs the package in a project of its own and uses it there, on plain Node.js without tsx:
// types, both kinds of flows, a cluster that trains. Takes some minutes, so that it is no part of npm test. A failure leaves the project.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { main, say, SetupError } from './setup/say.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const TIMEOUT_MS = 10 * 60_000;
const START_MS = 120_000;
const ROUNDS = 2;
/** An application: it bundles and uploads its flow, creates a job of it on a cluster of the package, and waits for its end. */
const CLIENT = `import { readFileSync } from 'node:fs';
import { createClient, MillraceError, stateOf, type Job, type MillraceClient } from 'millrace/client';
const { address, token } = JSON.parse(readFileSync('.millrace/admin.json', 'utf8')) as { address: string; token: string };
const client: MillraceClient = createClient({ endpoint: address, token });
const config = { name: 'packed', rounds: 1, rollout: { groupSize: 2, groupsPerRound: 2 }, evaluation: { baselines: false } };
const flow = new URL('./flow.ts', import.meta.url);
const job: Job = await client.jobs.create({ config, flow, owner: 'packed' });
const ended = await client.jobs.wait(job.id, { timeoutMs: 120_000 });
if (stateOf(ended) !== 'succeeded') throw new Error(job.id + ' is ' + stateOf(ended) + ': ' + ended.error);
const wrong = client.jobs.create({ config: { ...config, rollout: { groupSize: 1 } }, flow });
const error: unknown = await wrong.catch((thrown: unknown) => thrown);
if (!(error instanceof MillraceError) || error.field !== 'rollout.groupSize') throw new Error(String(error));
client.close();
`;

/** An application that uses what was trained. */
const SOLVE = `import { loadPolicy } from 'millrace';
import flow from './flow.mjs';
const policy = await loadPolicy('.millrace/checkpoints/thermostat-1/v00000${ROUNDS}', flow);
const { tasks } = await flow.load({ data: undefined, options: {}, seed: 1 });
const { ended, steps } = await policy.solve(tasks[0]!);
const action = await policy.start(tasks[0]!).next();
if (ended === 'no-action' || action?.tool !== steps[0]!.tool) throw new Error(JSON.stringify({ ended, steps, action }));
policy.close();
`;

await main(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-package-'));
  const project = join(folder, 'project');
  mkdirSync(project);
  const run = (what, command, args, cwd = project) => step(what, { command, args, cwd, log: join(folder, 'output.log') });

  run('packed', 'npm', ['pack', '--silent', '--pack-destination', folder], root);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeProject(project);
  run('installed', 'npm', ['install', '--no-audit', '--no-fund', join(folder, `millrace-${version}.tgz`)]);
  check(!existsSync(join(project, 'node_modules', 'tsx')), 'tsx is installed with the package');
  // Also what the declarations themselves import must be there.
  run('types checked', process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  run('computed', process.execPath, ['use.mjs']);
  const printed = run('started', 'npx', ['millrace', '--version']);
  check(printed.trim() === version, `millrace --version printed ${printed}`);
  for (const flow of ['flow.ts', 'flow.js']) {
    const report = join(project, `${flow}.json`);
    const train = ['millrace', 'train', 'job.yaml', '--report', report, '--set', `flow=${flow}`, '--set', `rounds=${ROUNDS}`];
    run(`trained ${flow}`, 'npx', train);
    const { checkpoint, heldOut } = JSON.parse(readFileSync(report, 'utf8'));
    check(checkpoint.endsWith(`v00000${ROUNDS}`) && heldOut.oracle === 1, `${report} is not that of ${ROUNDS} rounds`);
  }
  run('decided', process.execPath, ['solve.mjs']);
  const stop = await startCluster(project);
  try {
    run('created a job with the client', process.execPath, ['client.mjs']);
  } finally {
    await stop();
  }
  rmSync(folder, { recursive: true, force: true });
  say('The package works.');
  return 0;
});

/** A project as a user has it: a flow in TypeScript and the same in JavaScript, which nothing declares to be modules. */
function writeProject(project) {
  const example = join(root, 'docs', 'first-flow');
  for (const file of ['flow.ts', 'job.yaml']) cpSync(join(example, file), join(project, file));
  const { code } = transformSync(readFileSync(join(example, 'flow.ts'), 'utf8'), { loader: 'ts' });
  writeFileSync(join(project, 'flow.js'), code);
  writeFileSync(join(project, 'flow.mjs'), code);
  cpSync(join(example, 'flow.ts'), join(project, 'flow.mts'));
  const options = { strict: true, noEmit: true, module: 'NodeNext', target: 'ES2023', types: [], skipLibCheck: false };
  const use = `import { grpoAdvantages } from 'millrace/math';\nconst [first]`;
  writeFileSync(join(project, 'use.mts'), `${use}: number[] = grpoAdvantages([1, 0]);\nif (!(first! > 0)) throw new Error();\n`);
  writeFileSync(join(project, 'use.mjs'), `${use} = grpoAdvantages([1, 0]);\nif (!(first > 0)) throw new Error();\n`);
  writeFileSync(join(project, 'client.mts'), CLIENT);
  writeFileSync(join(project, 'client.mjs'), transformSync(CLIENT, { loader: 'ts' }).code);
  writeFileSync(join(project, 'solve.mts'), SOLVE);
  writeFileSync(join(project, 'solve.mjs'), transformSync(SOLVE, { loader: 'ts' }).code);
  const write = (name, value) => writeFileSync(join(project, name), JSON.stringify(value));
  write('package.json', { name: 'project', private: true });
  write('tsconfig.json', { compilerOptions: options, files: ['flow.ts', 'use.mts', 'client.mts', 'solve.mts'] });
}

/** `millrace up` of the package; resolves once its admin API is there, with a function that ends it. */
async function startCluster(project) {
  rmSync(join(project, '.millrace', 'admin.json'), { force: true });
  const env = { ...process.env, NODE_OPTIONS: '' };
  const program = join(project, 'node_modules', 'millrace', 'bin', 'millrace.js');
  const child = spawn(process.execPath, [program, 'up', '--quiet'], {
    cwd: project,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  for (const deadline = Date.now() + START_MS; !existsSync(join(project, '.millrace', 'admin.json'));) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new SetupError('millrace up of the package did not start');
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return stop;
}

/** Runs a command, says how long it took, and returns what it printed. */
function step(what, { command, args, cwd, log }) {
  const began = Date.now();
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', timeout: TIMEOUT_MS });
  writeFileSync(log, `$ ${command} ${args.join(' ')}\n${stdout}${stderr}\n`, { flag: 'a' });
  check(status === 0, `${command} ${args.join(' ')} in ${cwd} ended with ${status}:\n${stdout}${stderr}`);
  say(`${what} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return stdout;
}

function check(holds, problem) {
  if (!holds) throw new SetupError(problem);
}
