import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { startTestCluster, type TestCluster } from '../../test/support/cluster.ts';
import { median } from '../compute/statistics.ts';
import { ClusterJobs } from '../jobs/cluster-jobs.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { append, natural } from '../load/options.ts';
import { columns, gateLines, number } from '../load/table.ts';
import type { BenchContext, Scenario } from '../scenario.ts';

const JOB = fileURLToPath(new URL('../../examples/retail/job.yaml', import.meta.url));
/** About 500 tasks for validation, and nothing else that is evaluated. */
const SPLIT = ['split.test=0.44', 'evaluation.baselines=false', 'evaluation.test=false', 'evaluation.samples=0'];
const GATES = ['throughputCost<=0.05'];
const FIGURES = ['throughputCost', 'cpuCost'];
/** Rounds before the first that counts. */
const WARM_UP_ROUNDS = 5;

interface Options {
  rounds: number;
  every: number;
  turns: number;
  set: string[];
  json?: string;
  gate: string[];
}

/** One training. */
interface Course {
  /** Of training, from the warm-up to the last commit. */
  trajectories: number;
  trajectoriesPerSecond: number;
  /** Of all processes of the cluster, the evaluation at the end included. */
  cpuSeconds: number;
  /** Evaluations before the last commit, and their tasks. */
  evaluations: number;
  tasks: number;
}

/** What evaluations during training take from it. */
export const evaluation: Scenario = {
  name: 'evaluation',
  summary:
    'examples/retail on a cluster with and without evaluations of some 500 tasks: trajectories/s of training, processor time',
  configure(command) {
    command
      .option('--rounds <n>', 'rounds of each training, of 32 trajectories', natural, 160)
      .option('--every <n>', 'rounds between two evaluations', natural, 50)
      .option('--turns <n>', 'pairs of trainings, one after the other', natural, 3)
      .option('--set <path=value>', 'override a value of the job; may be repeated', append, [])
      .option('--gate <bound>', 'figure and bound in place of the default; may be repeated', append, [])
      .option('--json <file>', 'also write the result to this file');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const before = loadavg()[0]!;
    const pairs = await measure(options, context);
    const cost = (of: (course: Course) => number): number => median(pairs.map(([without, with_]) => of(with_) / of(without)));
    const figures = { throughputCost: 1 - cost((of) => of.trajectoriesPerSecond), cpuCost: cost((of) => of.cpuSeconds) - 1 };
    const checked = checkGates(gates, figures);
    print(pairs, context);
    const taskMs = cpuPerTask(pairs);
    if (taskMs !== undefined) context.print(`an evaluated task: ${number(taskMs, 1)} ms of processor time in all processes`);
    context.print(
      `evaluations take ${percent(figures.throughputCost)} of the trajectories/s and add ${percent(figures.cpuCost)} of processor time; ` +
        `load average ${number(before, 1)} to ${number(loadavg()[0]!, 1)}`,
    );
    if (options.json !== undefined)
      await writeFile(options.json, `${JSON.stringify({ pairs, ...figures, gates: checked }, null, 2)}\n`);
    gateLines(checked).forEach((line) => context.note(line));
    return checked.every(({ kept }) => kept) ? 0 : 1;
  },
};

/** Pairs of trainings without and with evaluations, the same seed in both; which comes first changes from pair to pair. */
async function measure({ rounds, every, turns, set }: Options, context: BenchContext): Promise<[Course, Course][]> {
  const cluster = await startTestCluster({ learners: 2, rollouts: 2 });
  const pairs: [Course, Course][] = [];
  try {
    const jobs = new ClusterJobs(cluster, { signal: context.signal, say: () => undefined });
    const run = (evaluateEvery: number, seed: number, of = rounds): Promise<Course> => {
      const overrides = [...SPLIT, ...set, `rounds=${of}`, `seed=${seed}`, `evaluation.every=${evaluateEvery}`];
      return train(jobs, cluster, `seed${seed}-every${evaluateEvery}`, loadJobConfig(JOB, { overrides }).config);
    };
    // The first job of all finds processes that have compiled nothing yet.
    await run(0, 0, WARM_UP_ROUNDS * 2);
    for (let turn = 0; turn < turns; turn += 1) {
      context.note(`pair ${turn + 1} of ${turns}`);
      const order = turn % 2 === 0 ? [0, every] : [every, 0];
      const courses = [await run(order[0]!, turn + 1), await run(order[1]!, turn + 1)];
      if (turn % 2 === 1) courses.reverse();
      pairs.push(courses as [Course, Course]);
      context.note(
        courses.map((course) => `${number(course.trajectoriesPerSecond, 1)}/s, ${number(course.cpuSeconds, 1)} cpu s`).join('; '),
      );
    }
  } finally {
    await cluster.end();
  }
  return pairs;
}

async function train(jobs: ClusterJobs, cluster: TestCluster, name: string, config: JobConfig): Promise<Course> {
  const cpu = (): number => [...jobs.readings().values()].reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const begun = cpu();
  await jobs.create(name, 1, config);
  const { succeeded, errors } = await jobs.ended(name, 1);
  if (succeeded < 1) throw new MillraceError('failed_precondition', `${name} did not succeed: ${errors.join('; ')}`);
  const cpuSeconds = cpu() - begun;
  const sql =
    `SELECT sumIf(trajectories, version > ${WARM_UP_ROUNDS}), ` +
    `dateDiff('microsecond', minIf(committed_at, version = ${WARM_UP_ROUNDS}), max(committed_at)), max(version) FROM updates WHERE job = '${name}-1'`;
  let [trajectories, microseconds, last] = [0, 1, 0];
  // The store writes behind the job.
  for (let tries = 0; tries < 200 && last < config.rounds; tries += 1) {
    [trajectories, microseconds, last] = ((await cluster.rows(sql))[0] ?? []).map(Number) as [number, number, number];
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const evaluated = `SELECT count(), any(tasks) FROM evaluations WHERE job = '${name}-1' AND policy_version < ${config.rounds}`;
  const [evaluations = 0, tasks = 0] = ((await cluster.rows(evaluated))[0] ?? []).map(Number);
  return { trajectories, trajectoriesPerSecond: (1e6 * trajectories) / microseconds, cpuSeconds, evaluations, tasks };
}

/** Milliseconds; undefined where nothing was evaluated. */
function cpuPerTask(pairs: readonly (readonly [Course, Course])[]): number | undefined {
  const extra = pairs.flatMap(([without, { cpuSeconds, evaluations, tasks }]) =>
    evaluations === 0 ? [] : [(1000 * (cpuSeconds - without.cpuSeconds)) / (evaluations * tasks)],
  );
  return extra.length === 0 ? undefined : median(extra);
}

function print(pairs: readonly (readonly [Course, Course])[], context: BenchContext): void {
  const header = ['pair', 'trajectories/s', 'with evaluations', 'cpu s', 'with evaluations', 'evaluations', 'tasks of each'];
  const rows = pairs.map(([without, with_], at) => [
    String(at + 1),
    number(without.trajectoriesPerSecond, 1),
    number(with_.trajectoriesPerSecond, 1),
    number(without.cpuSeconds, 1),
    number(with_.cpuSeconds, 1),
    String(with_.evaluations),
    String(with_.tasks),
  ]);
  columns(header, rows).forEach((line) => context.print(line));
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
