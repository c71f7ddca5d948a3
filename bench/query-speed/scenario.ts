import { mkdir, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { QUERY_NAMES } from '../../src/store/queries.ts';
import { median } from '../compute/statistics.ts';
import { checkGates, gatesOf, type GateResult } from '../load/gates.ts';
import { append } from '../load/options.ts';
import { ProcessSampler, type ProcessUsage } from '../load/processes.ts';
import { createProgress } from '../load/progress.ts';
import { withScratch } from '../load/scratch.ts';
import { bytes, columns, gateLines, number } from '../load/table.ts';
import { startWorker, type Worker } from '../load/worker.ts';
import { listOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import type { FillEvent, FillOrder, FillResult } from './fill-main.ts';
import type { MeasuredQuery, MeasureEvent, MeasureOrder } from './measure-main.ts';

/** What `--json` writes. */
export interface QueryReport {
  sizes: (FillResult & { asked: number; queries: (MeasuredQuery & { medianSeconds: number })[]; processes: ProcessUsage[] })[];
  /** Median of the slowest query at the size nearest to 10 million steps: what the gate looks at. */
  slowestMedianSeconds: number;
  /** The same in processor time, over all threads of a query: on a busy machine the more telling one. */
  slowestCpuSeconds: number;
  loadAverage: number;
  gates: GateResult[];
}

interface Options {
  json?: string;
  steps: string;
  repeat: string;
  queries?: string;
  gate: string[];
  keep?: string;
}

const GATES = ['slowestMedianSeconds<=1'];
/** Steps of the size that the gate is about. */
const GATED = 1e7;

/** The named queries at sizes that a long training reaches. */
export const query: Scenario = {
  name: 'query',
  summary: 'named queries of the trajectory store at a million steps and more: median, rows read, memory',
  configure(command) {
    command
      .option('--steps <list>', 'numbers of steps in the job asked about', '1e6,1e7')
      .option('--repeat <n>', 'times that each query runs; the first reads cold caches', '5')
      .option('--queries <list>', 'only these')
      .option('--json <file>', 'also write the result to this file')
      .option('--gate <bound>', 'figure and bound, e.g. slowestMedianSeconds<=1; may be repeated', append, [])
      .option('--keep <folder>', 'make the rows in this folder and leave them; rows that are there are not made again');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const report = await measure(options, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.gates.every(({ kept }) => kept) ? 0 : 1;
  },
};

async function measure(options: Options, context: BenchContext): Promise<QueryReport> {
  const sizes = options.steps.split(',').map((text) => positive('--steps', text));
  const repeat = positive('--repeat', options.repeat);
  const queries = options.queries === undefined ? [] : listOf('--queries', options.queries, QUERY_NAMES);
  const gates = gatesOf(GATES, options.gate, ['slowestMedianSeconds', 'slowestCpuSeconds']);
  const report: QueryReport = {
    sizes: [],
    slowestMedianSeconds: NaN,
    slowestCpuSeconds: NaN,
    loadAverage: loadavg()[0]!,
    gates: [],
  };
  for (const steps of sizes) {
    const atSize = (folder: string): Promise<QueryReport['sizes'][number]> => one(folder, { steps, repeat, queries }, context);
    const size = options.keep === undefined ? await withScratch(atSize) : await atSize(await kept(options.keep, steps));
    report.sizes.push(size);
    print(size, context);
  }
  const distance = ({ asked }: { asked: number }): number => Math.abs(Math.log(asked / GATED));
  const gated = [...report.sizes].sort((a, b) => distance(a) - distance(b))[0]!;
  const slowest = (of: (query: MeasuredQuery & { medianSeconds: number }) => number): number =>
    Math.max(...gated.queries.map((query) => (query.error === undefined ? of(query) : Infinity)));
  report.slowestMedianSeconds = slowest(({ medianSeconds }) => medianSeconds);
  report.slowestCpuSeconds = slowest(({ cpuSeconds }) => median(cpuSeconds));
  report.gates = checkGates(gates, { ...report });
  for (const line of gateLines(report.gates)) context.print(line);
  return report;
}

/** Makes the rows of one size and runs the queries on them, each in a process of its own. */
async function one(
  folder: string,
  { steps, repeat, queries }: { steps: number; repeat: number; queries: readonly string[] },
  { signal }: BenchContext,
): Promise<QueryReport['sizes'][number]> {
  const progress = createProgress();
  const sampler = new ProcessSampler();
  const label = `${number(steps)} steps`;
  try {
    const filler = startWorker<FillOrder, FillResult, FillEvent>({
      entry: new URL('./fill-main.ts', import.meta.url),
      name: 'fill',
      onEvent: ({ trajectories, total }) =>
        progress.say(`${label} · making rows · ${((100 * trajectories) / total).toFixed(0)} %`),
    });
    sampler.watch('fill', () => filler.pid);
    const filled = await during(filler, { folder, steps }, signal);
    const reader = startWorker<MeasureOrder, MeasuredQuery[], MeasureEvent>({
      entry: new URL('./measure-main.ts', import.meta.url),
      name: 'queries',
      onEvent: ({ query, seconds }) => progress.say(`${label} · ${query} · ${seconds.toFixed(3)} s`),
    });
    sampler.watch('queries', () => reader.pid);
    const measured = await during(reader, { folder, queries, repeat }, signal);
    const timed = measured.map((one) => ({ ...one, medianSeconds: median(one.seconds) }));
    return { asked: steps, ...filled, queries: timed, processes: sampler.usage() };
  } finally {
    sampler.close();
    progress.close();
  }
}

/** One order to a worker that ends with it, or with the interrupt. */
async function during<Order, Result>(worker: Worker<Order, Result>, order: Order, signal: AbortSignal): Promise<Result> {
  const interrupt = (): void => worker.kill();
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    signal.throwIfAborted();
    return await worker.order(order);
  } finally {
    signal.removeEventListener('abort', interrupt);
    await worker.stop();
  }
}

function print(size: QueryReport['sizes'][number], context: BenchContext): void {
  const made = size.seconds === 0 ? 'were there' : `made in ${size.seconds.toFixed(0)} s`;
  context.print(
    `${number(size.steps)} steps of ${number(size.trajectories)} trajectories, ${made}: ${size.parts} parts, ${size.bytesPerStep.toFixed(1)} bytes a step`,
  );
  const answered = size.queries.filter(({ error }) => error === undefined);
  const rows = answered.map(({ query, medianSeconds, seconds, cpuSeconds, rows, rowsRead, peakBytes }) => [
    query,
    medianSeconds.toFixed(3),
    (seconds[0] ?? NaN).toFixed(3),
    median(cpuSeconds).toFixed(3),
    number(rows),
    number(rowsRead),
    bytes(peakBytes),
  ]);
  for (const line of columns(['query', 'median s', 'first s', 'cpu s', 'rows', 'rows read', 'memory'], rows)) context.print(line);
  for (const line of columns(
    ['process', 'cpu s', 'peak memory'],
    size.processes.map(({ name, cpuSeconds, peakRssBytes }) => [name, cpuSeconds.toFixed(1), bytes(peakRssBytes)]),
  ))
    context.print(line);
  for (const { query, error } of size.queries) if (error !== undefined) context.print(`${query} has no answer: ${error}`);
}

async function kept(folder: string, steps: number): Promise<string> {
  const path = join(resolve(folder), String(steps));
  await mkdir(path, { recursive: true });
  return path;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new MillraceError('invalid_argument', `${option}: "${text}" is not a whole number above 0`, { field: option });
}
