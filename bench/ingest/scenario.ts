import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { median } from '../compute/statistics.ts';
import { checkGates, gatesOf, type GateResult } from '../load/gates.ts';
import type { GeneratorEvent, GeneratorOrder, GeneratorResult } from '../load/generator-main.ts';
import type { ProcessUsage } from '../load/processes.ts';
import { append, natural, whole } from '../load/options.ts';
import { createProgress } from '../load/progress.ts';
import { withScratch } from '../load/scratch.ts';
import { startTestbed } from '../load/testbed.ts';
import { bytes, columns, gateLines, number } from '../load/table.ts';
import { templatesOf } from '../load/template-source.ts';
import type { Verdict, VerifyOrder } from '../load/verify-main.ts';
import { startWorker, type Worker } from '../load/worker.ts';
import { oneOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import type { ConsumerOrder, ConsumerResult } from './consumer-main.ts';
import { POLL_MS } from './poller.ts';
import type { RawOrder, RawResult } from './raw-main.ts';
import { jetStreamTurn, latencyTurn, pathTurn, rawTurn, type Latency, type Parts, type PathTurn, type RawTurn } from './turns.ts';

/** What `--json` writes. Rates are medians over the turns. */
export interface IngestReport {
  data: 'synthetic' | 'recorded';
  /** Through the whole path, until the writer has acknowledged. */
  stepsPerSecond: number;
  rawInsertStepsPerSecond: number;
  /** Median of the turns' own ratios: what disturbed a turn disturbed both. */
  ratioToRawInsert: number;
  rawJetStreamBytesPerSecond: number;
  /** Steps that were accepted and are not in the store, and rows beyond the first of a natural key, as queries see it. */
  lost: number;
  duplicated: number;
  /** Memory of the store node late in the run, as a multiple of what it was earlier. */
  writerRssGrowth: number;
  /** At half of `stepsPerSecond`: from when the group was due to be published until a query saw all of it. */
  p99PublishToQueryableMs: number;
  latency: Latency & { stepsPerSecond: number; resolutionMs: number };
  processes: ProcessUsage[];
  /** Processor microseconds for one step: of the store node in the path, of the raw inserts, of nats-server in the path. */
  cpuMicrosPerStep: { store: number; rawInsert: number; natsServer: number };
  turns: { path: PathTurn[]; rawInsert: RawTurn[]; rawJetStreamBytesPerSecond: number[] };
  verdict: Verdict;
  messageBytes: number;
  /** Before and after. */
  loadAverage: [number, number];
  gates: GateResult[];
}

interface Options {
  data: string;
  rate: string;
  turns: number;
  steps: number;
  halfSeconds: number;
  generators: number;
  rawConcurrency: number;
  rawRows: string;
  json?: string;
  gate: string[];
}

const GATES = [
  'stepsPerSecond>=100000',
  'ratioToRawInsert>=0.8',
  'p99PublishToQueryableMs<=2000',
  'lost==0',
  'duplicated==0',
  'writerRssGrowth<=1.3',
];
/** Figures of the result that a gate can be about. */
const FIGURES = [
  'stepsPerSecond',
  'rawInsertStepsPerSecond',
  'ratioToRawInsert',
  'rawJetStreamBytesPerSecond',
  'lost',
  'duplicated',
  'writerRssGrowth',
  'p99PublishToQueryableMs',
] as const;
/** Steps of a raw turn at most: its rows are in memory, unpacked. */
const RAW_STEPS = 500_000;

/** The path of trajectories into the store, beside its two limits. */
export const ingest: Scenario = {
  name: 'ingest',
  summary: 'steps/s from JetStream into the store, beside the raw insert and the raw JetStream rate in the same run',
  configure(command) {
    command
      .option('--data <kind>', 'synthetic groups, or recorded ones of examples/retail', 'synthetic')
      .option('--rate <steps/s>', 'publish at this rate, or `max`: as fast as the store takes it', 'max')
      .option('--turns <n>', 'turns of each: path, raw insert, raw JetStream', natural, 3)
      .option('--steps <n>', 'steps of one turn of the path', natural, 800_000)
      .option('--half-seconds <n>', 'seconds at half the measured speed, for latency and memory; 0: none', whole, 120)
      .option('--generators <n>', 'processes that publish', natural, 2)
      .option('--raw-concurrency <n>', 'inserts on their way at once in the raw turns', natural, 1)
      .option('--raw-rows <form>', 'of the raw turns: packed, as the writer hands them over, or plain', 'packed')
      .option('--json <file>', 'also write the result to this file')
      .option(
        '--gate <bound>',
        'figure and bound in place of a default, e.g. "ratioToRawInsert>=0.7"; may be repeated',
        append,
        [],
      );
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const report = await withScratch((folder) => measure(options, folder, context));
    print(report, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.gates.every(({ kept }) => kept) ? 0 : 1;
  },
};

async function measure(options: Options, folder: string, { signal }: BenchContext): Promise<IngestReport> {
  const data = oneOf('--data', options.data, ['synthetic', 'recorded'] as const);
  const rate = options.rate === 'max' ? undefined : Number(options.rate);
  if (rate !== undefined && !(rate > 0))
    throw new MillraceError('invalid_argument', `--rate: "${options.rate}" is neither a number above 0 nor max`, {
      field: '--rate',
    });
  const gates = gatesOf(GATES, options.gate, FIGURES);
  const before = loadavg()[0]!;
  const progress = createProgress();
  const stops: (() => Promise<void>)[] = [() => Promise.resolve(progress.close())];
  const interrupt = (worker: Worker<never, unknown>): void =>
    signal.addEventListener('abort', () => worker.kill(), { once: true });
  try {
    const templates = await templatesOf(data, progress, signal);
    const stand = await startTestbed(folder, signal);
    stops.push(() => stand.stop());
    const own = <Order, Result, Event>(name: string, entry: URL, onEvent?: (event: Event) => void): Worker<Order, Result> => {
      const worker = startWorker<Order, Result, Event>({ name, entry, ...(onEvent && { onEvent }) });
      stops.push(() => worker.stop());
      stand.sampler.watch(name, () => worker.pid);
      interrupt(worker);
      return worker;
    };
    const generators = Array.from({ length: options.generators }, (_, at) =>
      own<GeneratorOrder, GeneratorResult, GeneratorEvent>(
        `generator-${at + 1}`,
        new URL('../load/generator-main.ts', import.meta.url),
      ),
    );
    const raw = own<RawOrder, RawResult, never>('raw-insert', new URL('./raw-main.ts', import.meta.url));
    const consumer = own<ConsumerOrder, ConsumerResult, never>('raw-consumer', new URL('./consumer-main.ts', import.meta.url));
    await Promise.all([
      ...generators.map((one) => one.order({ kind: 'open', natsUrl: stand.natsUrl, name: one.name, templates })),
      raw.order({ kind: 'open', folder: join(folder, 'raw'), templates }),
      consumer.order({ kind: 'open', natsUrl: stand.natsUrl }),
    ]);
    const parts: Parts = { stand, generators, raw, consumer, templates, folder, logs: [], progress, signal };
    const turns = await takeTurns(parts, options, rate);
    const stepsPerSecond = median(turns.path.map((turn) => turn.stepsPerSecond));
    const half = stepsPerSecond / 2;
    const last =
      options.halfSeconds === 0
        ? undefined
        : await latencyTurn(parts, { job: 'half', steps: half * options.halfSeconds, stepsPerSecond: half });
    const processes = stand.sampler.usage();
    await Promise.all([...generators, raw, consumer].map((one) => one.stop()));
    await stand.stopStore();
    progress.say('looking for what was lost or doubled');
    const checker = own<VerifyOrder, Verdict, never>('verify', new URL('../load/verify-main.ts', import.meta.url));
    const verdict = await checker.order({ database: stand.database, logs: parts.logs });
    const raws = median(turns.rawInsert.map((turn) => turn.stepsPerSecond));
    const micros = (cpu: number[], of: { steps: number }[]): number =>
      median(cpu.map((seconds, at) => (1e6 * seconds) / of[at]!.steps));
    const figures: Record<(typeof FIGURES)[number], number> = {
      stepsPerSecond,
      rawInsertStepsPerSecond: raws,
      ratioToRawInsert: median(turns.path.map((turn, at) => turn.stepsPerSecond / turns.rawInsert[at]!.stepsPerSecond)),
      rawJetStreamBytesPerSecond: median(turns.rawJetStreamBytesPerSecond),
      lost: verdict.lostSteps + verdict.lostTrajectories,
      duplicated: verdict.duplicatedSteps + verdict.duplicatedTrajectories,
      writerRssGrowth: growthOf(processes, 'store'),
      p99PublishToQueryableMs: last?.latency.p99Ms ?? NaN,
    };
    const none = { samples: 0, p50Ms: NaN, p99Ms: NaN, maxMs: NaN };
    return {
      data,
      ...figures,
      latency: { ...(last?.latency ?? none), stepsPerSecond: half, resolutionMs: POLL_MS },
      processes,
      turns: { ...turns, path: turns.path.map(({ published: _, ...turn }) => turn) },
      verdict,
      cpuMicrosPerStep: {
        store: micros(
          turns.path.map(({ cpuSeconds }) => cpuSeconds['store'] ?? NaN),
          turns.path,
        ),
        rawInsert: micros(
          turns.rawInsert.map(({ cpuSeconds }) => cpuSeconds),
          turns.rawInsert,
        ),
        natsServer: micros(
          turns.path.map(({ cpuSeconds }) => cpuSeconds['nats-server'] ?? NaN),
          turns.path,
        ),
      },
      messageBytes: turns.messageBytes,
      loadAverage: [before, loadavg()[0]!],
      gates: checkGates(
        gates.filter(({ figure }) => figure !== 'p99PublishToQueryableMs' || last !== undefined),
        figures,
      ),
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

type Turns = Omit<IngestReport['turns'], 'path'> & {
  path: Awaited<ReturnType<typeof pathTurn>>[];
  messageBytes: number;
};

/** Path, raw inserts and raw JetStream after each other, again and again: what disturbs the machine hits all of them. */
async function takeTurns(parts: Parts, options: Options, rate: number | undefined): Promise<Turns> {
  const turns: Turns = { path: [], rawInsert: [], rawJetStreamBytesPerSecond: [], messageBytes: 0 };
  const { steps, rawConcurrency: concurrency } = options;
  const rows = oneOf('--raw-rows', options.rawRows, ['packed', 'plain'] as const);
  for (let turn = 1; turn <= options.turns; turn += 1) {
    const path = await pathTurn(parts, { job: `turn-${turn}`, steps, ...(rate !== undefined && { stepsPerSecond: rate }) });
    turns.path.push(path);
    turns.messageBytes =
      path.published.reduce((sum, { bytes }) => sum + bytes, 0) / path.published.reduce((sum, { messages }) => sum + messages, 0);
    const { batchRows } = path;
    turns.rawInsert.push(
      await rawTurn(parts, { job: `raw-${turn}`, steps: Math.min(RAW_STEPS, steps), batchRows, concurrency, rows }),
    );
    turns.rawJetStreamBytesPerSecond.push(await jetStreamTurn(parts));
  }
  return turns;
}

function growthOf(processes: readonly ProcessUsage[], name: string): number {
  const { earlyRssBytes = NaN, lateRssBytes = NaN } = processes.find((one) => one.name === name) ?? {};
  return lateRssBytes / earlyRssBytes;
}

function print(report: IngestReport, context: BenchContext): void {
  const { turns, latency, verdict, cpuMicrosPerStep: cpu } = report;
  const rows = turns.path.map((turn, at) => [
    `turn ${at + 1}`,
    number(turn.stepsPerSecond),
    number(turns.rawInsert[at]!.stepsPerSecond),
    (turn.stepsPerSecond / turns.rawInsert[at]!.stepsPerSecond).toFixed(2),
    `${bytes(turns.rawJetStreamBytesPerSecond[at]!)}/s`,
    number(turn.batchRows),
    (turn.cpuSeconds['store'] ?? NaN).toFixed(1),
    (turn.cpuSeconds['nats-server'] ?? NaN).toFixed(1),
    turn.coresOfOthers.toFixed(1),
  ]);
  const header = [
    `${report.data}`,
    'steps/s',
    'raw insert',
    'ratio',
    'raw JetStream',
    'rows a batch',
    'store cpu s',
    'nats cpu s',
    'others, cores',
  ];
  const lines = [
    ...columns(header, rows),
    `median: ${number(report.stepsPerSecond)} steps/s, ${report.ratioToRawInsert.toFixed(2)} of ${number(report.rawInsertStepsPerSecond)} raw; messages of ${bytes(report.messageBytes)}`,
    `processor time for one step: ${cpu.store.toFixed(1)} µs in the store, ${cpu.rawInsert.toFixed(1)} µs in raw inserts, ${cpu.natsServer.toFixed(1)} µs in nats-server`,
    `publish to queryable at ${number(latency.stepsPerSecond)} steps/s: p50 ${number(latency.p50Ms)} ms, p99 ${number(latency.p99Ms)} ms, max ${number(latency.maxMs)} ms (${latency.samples} groups, asked every ${latency.resolutionMs} ms)`,
    `${number(verdict.acceptedSteps)} steps of ${number(verdict.acceptedTrajectories)} trajectories accepted: ${report.lost} lost, ${report.duplicated} doubled, ${number(verdict.unmergedSteps)} rows not merged yet`,
    ...columns(
      ['process', 'cpu s', 'peak memory', 'second quarter', 'last quarter'],
      report.processes.map(({ name, cpuSeconds, peakRssBytes, earlyRssBytes, lateRssBytes }) => [
        name,
        cpuSeconds.toFixed(1),
        bytes(peakRssBytes),
        bytes(earlyRssBytes),
        bytes(lateRssBytes),
      ]),
    ),
    ...gateLines(report.gates),
  ];
  for (const line of lines) context.print(line);
}
