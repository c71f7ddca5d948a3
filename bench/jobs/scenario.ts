import { writeFile } from 'node:fs/promises';
import { startTestCluster } from '../../test/support/cluster.ts';
import { checkGates, gatesOf, type GateResult } from '../load/gates.ts';
import { append, natural, whole } from '../load/options.ts';
import { createProgress } from '../load/progress.ts';
import { bytes, columns, gateLines, number } from '../load/table.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { ClusterJobs } from './cluster-jobs.ts';
import { runBatch, runForMemory, runWithQueue, type BatchResult, type MemoryResult, type QueueResult } from './phases.ts';

/** What `--json` writes. */
export interface JobsReport {
  alone: BatchResult;
  batches: BatchResult[];
  queue: QueueResult | undefined;
  memory: MemoryResult | undefined;
  figures: Partial<Record<Figure, number>>;
  gates: GateResult[];
}

interface Options {
  jobs: number;
  queued: number;
  rounds: number;
  ended: number;
  json?: string;
  gate: string[];
}

/** Figures of the result that a gate can be about. */
const FIGURES = [
  'failed',
  'throughputOfAlone',
  'leastShareInAMinute',
  'throughputWithQueue',
  'createdPerSecond',
  'takenOverSeconds',
  'memoryGrowth',
] as const;
type Figure = (typeof FIGURES)[number];

const GATES = ['failed==0', 'throughputOfAlone>=0.8', 'leastShareInAMinute>=0.5'];
const QUEUE_GATES = ['throughputWithQueue>=0.8', 'createdPerSecond>=200', 'takenOverSeconds<=10'];
const MEMORY_GATES = ['memoryGrowth<=0.05'];
/** Of the time with a queue, before the coordinator is killed. */
const QUEUE_SECONDS = 75;

/** Many jobs of the first flow on one cluster. */
export const jobs: Scenario = {
  name: 'jobs',
  summary: 'many jobs at once on one cluster: throughput, fair shares, a long queue, a killed coordinator, memory, messages',
  configure(command) {
    command
      .option('--jobs <n>', 'jobs that run at once', natural, 100)
      .option('--queued <n>', 'jobs that wait for a place meanwhile; 0 leaves that part out', whole, 1000)
      .option('--rounds <n>', 'rounds of each job', natural, 5)
      .option('--ended <n>', 'jobs to their end before memory is read, and as many again; 0 leaves that part out', whole, 200)
      .option('--json <file>', 'also write the result to this file')
      .option('--gate <bound>', 'figure and bound in place of a default; may be repeated', append, []);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const report = await measure(options, context);
    print(report, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.gates.every(({ kept }) => kept) ? 0 : 1;
  },
};

async function measure(options: Options, context: BenchContext): Promise<JobsReport> {
  const { jobs: count, queued, rounds, ended } = options;
  const { signal } = context;
  const defaults = [...GATES, ...(queued > 0 ? QUEUE_GATES : []), ...(ended > 0 ? MEMORY_GATES : [])];
  const gates = gatesOf(defaults, options.gate, FIGURES);
  const progress = createProgress();
  const cluster = await startTestCluster({ learners: 2, rollouts: 2, maxRunning: count });
  try {
    const all = new ClusterJobs(cluster, { signal, say: (text) => progress.say(text) });
    // The first job of all finds processes that have compiled nothing yet.
    await runBatch(all, 'warm', 1, rounds);
    const alone = await runBatch(all, 'alone', 1, rounds);
    context.note(`alone: ${JSON.stringify(alone)}`);
    const batches: BatchResult[] = [];
    for (const size of [10, count].filter((size, i) => i === 1 || size < count)) {
      const batch = await runBatch(all, `batch-${size}`, size, rounds);
      context.note(`${size} jobs: ${JSON.stringify(batch)}`);
      batches.push(batch);
    }
    const queue =
      queued > 0 ? await runWithQueue(all, cluster, { running: count, queued, forSeconds: QUEUE_SECONDS }) : undefined;
    if (queue) context.note(`queue: ${JSON.stringify(queue)}`);
    const memory = ended > 0 ? await runForMemory(all, ended) : undefined;
    const many = batches.at(-1)!;
    // A batch that ends within a minute has none.
    const shares = [many.leastShare, queue?.leastShare].filter((share) => share !== undefined);
    const figures: JobsReport['figures'] = {
      failed: [alone, ...batches].reduce((sum, batch) => sum + batch.jobs - batch.succeeded, 0),
      throughputOfAlone: many.perSecond / alone.perSecond,
      ...(shares.length > 0 && { leastShareInAMinute: Math.min(...shares) }),
      ...(queue && {
        throughputWithQueue: queue.perSecond / many.perSecond,
        createdPerSecond: queue.createdPerSecond,
        ...(queue.takenOver === queue.running && { takenOverSeconds: queue.takenOverSeconds }),
      }),
      ...(memory && { memoryGrowth: memory.growth }),
    };
    return { alone, batches, queue, memory, figures, gates: checkGates(gates, figures) };
  } finally {
    progress.close();
    await cluster.end();
  }
}

function print({ alone, batches, queue, memory, gates }: JobsReport, context: BenchContext): void {
  const share = (least: number | undefined): string => (least === undefined ? '' : least.toFixed(2));
  const lines = columns(
    ['jobs', 'succeeded', 'seconds', 'trajectories/s', 'least share', 'CPU ms/trajectory', 'created/s', 'messages/job'],
    [alone, ...batches].map((batch) => [
      number(batch.jobs),
      number(batch.succeeded),
      number(batch.seconds, 1),
      number(batch.perSecond),
      share(batch.leastShare),
      number(batch.cpuMsPerTrajectory, 2),
      number(batch.createdPerSecond),
      number(batch.messagesPerJob),
    ]),
  );
  const many = batches.at(-1)!;
  lines.push(
    '',
    `CPU seconds: ${Object.entries(many.cpuSeconds)
      .map(([id, seconds]) => `${id} ${seconds}`)
      .join(', ')}`,
  );
  if (many.errors.length > 0) lines.push(`errors: ${many.errors.join('; ')}`);
  if (queue) {
    lines.push(
      '',
      `${queue.running} running, ${queue.queued} queued: ${number(queue.perSecond)} trajectories/s, least share ${share(queue.leastShare)}, ` +
        `${number(queue.createdPerSecond)} created/s; coordinator killed: ${queue.takenOver} jobs taken over within ${number(queue.takenOverSeconds, 1)} s`,
    );
  }
  if (memory) {
    const rows = Object.entries(memory.after).map(([id, rss]) => [id, bytes(memory.before[id] ?? 0), bytes(rss)]);
    lines.push('', ...columns(['process', `after ${memory.jobs} jobs`, `after ${2 * memory.jobs}`], rows));
  }
  for (const line of [...lines, '', ...gateLines(gates)]) context.print(line);
}
