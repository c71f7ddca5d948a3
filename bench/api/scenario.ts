import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestCluster, type TestCluster } from '../../test/support/cluster.ts';
import { createClient, MillraceError, type Job, type MillraceClient } from '../../src/client/index.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { readProcess } from '../load/processes.ts';
import { integerOf } from '../options.ts';
import { table } from '../../cluster/cli/table.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { mixedCalls, type Latency } from './calls.ts';
import { callKinds, openWatches } from './mix.ts';
import { signalWorkers } from './workers.ts';

const FLOW = fileURLToPath(new URL('../../docs/first-flow/flow.ts', import.meta.url));
/** Calls that are in progress at the same time while jobs are created. */
const CREATORS = 16;
const WARM_UP_MS = 5_000;
const RUNNING_TRIES = 240;
/** A job that trains for longer than the measurement takes. */
const CONFIG = {
  name: 'thermostat',
  rounds: 100_000,
  policy: { hidden: 16, embed: 8 },
  rollout: { groupSize: 16, groupsPerRound: 8 },
  evaluation: { every: 0, baselines: false },
};
/** What each figure must keep: figures of what `--json` writes. */
const GATES = [
  'createdPerSecond>=200',
  'pausedGetJobP95Ms<10',
  'pausedGetStatusP95Ms<10',
  'runningGetJobToEmpty<=3',
  'runningGetStatusToEmpty<=3',
  'runningGetJobMaxMs<=200',
  'runningGetStatusMaxMs<=200',
];
const FIGURES = [...GATES.map((gate) => /^\w+/.exec(gate)![0]), 'coordinatorCpuMsOfCreate', 'coordinatorCpuMsOfCall'];

interface Options {
  jobs: string;
  running: string;
  rate: string;
  seconds: string;
  json?: string;
  gate: string[];
}

/** The admin API and JSON-RPC under mixed load, with many jobs on record, while workers are stopped and while they work. */
export const api: Scenario = {
  name: 'api',
  summary: 'mixed calls of the admin API and JSON-RPC with 1,000 jobs: creation, latencies with and without running workers',
  configure(command) {
    command
      .option('--jobs <n>', 'jobs on record', '1000')
      .option('--running <n>', 'jobs of them that run', '100')
      .option('--rate <n>', 'calls in a second', '100')
      .option('--seconds <n>', 'length of each of the two measurements', '30')
      .option(
        '--gate <figure>=<bound>',
        'bound in place of the default one, e.g. createdPerSecond>=100; may be repeated',
        collect,
        [],
      )
      .option('--json <file>', 'also write the result to this file');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const running = integerOf('--running', options.running, 1);
    const cluster = await startTestCluster({ learners: 1, rollouts: 1, gatewayPort: 0, maxRunning: running });
    try {
      const result = await measure(cluster, options, context);
      const checked = checkGates(gates, result.figures);
      if (options.json !== undefined)
        await writeFile(options.json, `${JSON.stringify({ ...result, gates: checked }, null, 2)}\n`);
      print(result, context);
      for (const { figure, operator, bound, measured, kept } of checked)
        if (!kept) context.note(`gate: ${figure} is ${measured?.toFixed(2)}, and must be ${operator} ${bound}`);
      return checked.every(({ kept }) => kept) ? 0 : 1;
    } finally {
      signalWorkers(cluster, 'SIGCONT');
      await cluster.end();
    }
  },
};

interface Result {
  figures: Record<string, number>;
  paused: Record<string, Latency>;
  running: Record<string, Latency>;
}

async function measure(cluster: TestCluster, options: Options, context: BenchContext): Promise<Result> {
  const { signal } = context;
  const jobs = integerOf('--jobs', options.jobs, 1);
  const running = Math.min(jobs, integerOf('--running', options.running, 1));
  const pace = { perSecond: integerOf('--rate', options.rate, 1), seconds: integerOf('--seconds', options.seconds, 1), signal };
  const client = createClient({ endpoint: cluster.address, token: cluster.token });
  try {
    const flow = await client.uploadFlow({ flow: FLOW });
    const create = (): Promise<Job> => client.jobs.create({ config: CONFIG, flow });
    // The first one loads the flow.
    await client.jobs.cancel((await create()).id);
    signalWorkers(cluster, 'SIGSTOP');
    const before = cpuMs(cluster);
    const { ids, perSecond } = await createJobs(create, jobs);
    const createCpuMs = (cpuMs(cluster) - before) / jobs;
    context.note(`${jobs} jobs created, ${perSecond.toFixed(0)} a second`);
    await untilRunning(client, running, signal);
    const watches = openWatches(client, ids);
    const kinds = callKinds({ client, cluster, ids, create });
    const calling = cpuMs(cluster);
    const paused = await mixedCalls(kinds, pace);
    const callCpuMs = (cpuMs(cluster) - calling) / (pace.perSecond * pace.seconds);
    context.note(`workers stopped: ${watches.changes()} changes were watched`);
    signalWorkers(cluster, 'SIGCONT');
    // The load is that of jobs that train, once groups come.
    await sleep(WARM_UP_MS, undefined, { signal });
    const working = await mixedCalls(kinds, pace);
    context.note(`workers running: ${watches.changes()} changes were watched`);
    watches.close();
    const figures = {
      createdPerSecond: perSecond,
      // What a busy machine does not change.
      coordinatorCpuMsOfCreate: createCpuMs,
      coordinatorCpuMsOfCall: callCpuMs,
      pausedGetJobP95Ms: paused.get('GetJob')!.p95,
      pausedGetStatusP95Ms: paused.get('training.get_status')!.p95,
      runningGetJobToEmpty: working.get('GetJob')!.p95 / working.get('empty')!.p95,
      runningGetStatusToEmpty: working.get('training.get_status')!.p95 / working.get('empty')!.p95,
      runningGetJobMaxMs: working.get('GetJob')!.max,
      runningGetStatusMaxMs: working.get('training.get_status')!.max,
    };
    return { figures, paused: Object.fromEntries(paused), running: Object.fromEntries(working) };
  } finally {
    client.close();
  }
}

/** Processor time of the coordinator so far, in milliseconds. */
function cpuMs(cluster: TestCluster): number {
  const pid = cluster.nodes().find(({ roles }) => roles.includes('coordinator'))?.pid;
  return 1000 * (pid === undefined ? NaN : (readProcess(pid)?.cpuSeconds ?? NaN));
}

/** As fast as the API takes them, several at the same time. */
async function createJobs(create: () => Promise<Job>, count: number): Promise<{ ids: string[]; perSecond: number }> {
  const ids: string[] = [];
  const begun = performance.now();
  let left = count;
  const creator = async (): Promise<void> => {
    while (left-- > 0) ids.push((await create()).id);
  };
  await Promise.all(Array.from({ length: CREATORS }, creator));
  return { ids, perSecond: (1000 * count) / (performance.now() - begun) };
}

async function untilRunning(client: MillraceClient, count: number, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < RUNNING_TRIES; tries += 1) {
    const { jobs } = await client.jobs.page({ filter: 'state=RUNNING', pageSize: 1000, fields: ['id'] });
    if (jobs.length >= count) return;
    await sleep(500, undefined, { signal });
  }
  throw new MillraceError('deadline_exceeded', `not ${count} jobs run after ${RUNNING_TRIES / 2} seconds`);
}

function print({ figures, paused, running }: Result, context: BenchContext): void {
  const ms = (value: number): string => value.toFixed(1);
  const rows = Object.entries({ stopped: paused, running }).flatMap(([workers, latencies]) =>
    Object.entries(latencies).map(([call, { calls, p50, p95, p99, max }]) => [
      workers,
      call,
      String(calls),
      ms(p50),
      ms(p95),
      ms(p99),
      ms(max),
    ]),
  );
  context.print(
    table(['WORKERS', 'CALL', 'CALLS', 'P50 ms', 'P95 ms', 'P99 ms', 'MAX ms'], rows, { right: [2, 3, 4, 5, 6] }).trimEnd(),
  );
  for (const [name, value] of Object.entries(figures)) context.print(`${name} ${value.toFixed(2)}`);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
