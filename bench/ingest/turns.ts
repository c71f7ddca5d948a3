import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';
import type { GeneratorOrder, GeneratorResult, Probe } from '../load/generator-main.ts';
import { busySeconds } from '../load/processes.ts';
import type { Progress } from '../load/progress.ts';
import { quantile } from '../load/quantile.ts';
import type { Testbed } from '../load/testbed.ts';
import type { GroupTemplate } from '../load/templates.ts';
import type { Worker } from '../load/worker.ts';
import type { ConsumerOrder, ConsumerResult } from './consumer-main.ts';
import { sustainedRate, type Point } from './curve.ts';
import { awaitQueryable } from './poller.ts';
import type { RawOrder, RawResult } from './raw-main.ts';

export type Generator = Worker<GeneratorOrder, GeneratorResult>;

/** What the turns work with. */
export interface Parts {
  stand: Testbed;
  generators: Generator[];
  raw: Worker<RawOrder, RawResult>;
  consumer: Worker<ConsumerOrder, ConsumerResult>;
  templates: GroupTemplate[];
  /** For logs of what was accepted; filled with their paths. */
  folder: string;
  logs: string[];
  progress: Progress;
  signal: AbortSignal;
}

/** One turn of the whole path. */
export interface PathTurn {
  /** Sustained, into the store. */
  stepsPerSecond: number;
  steps: number;
  /** From the first publish until everything was acknowledged by the writer. */
  seconds: number;
  /** Rows that the writer sent in one batch, on average. */
  batchRows: number;
  /** Processor seconds of each process in this turn. */
  cpuSeconds: Record<string, number>;
  /** Cores that processes which are not ours kept busy meanwhile, on average. */
  coresOfOthers: number;
}

/** One turn of inserts without a bus. */
export interface RawTurn {
  stepsPerSecond: number;
  steps: number;
  seconds: number;
  /** Of the process, from the first insert to the last. */
  cpuSeconds: number;
}

/** How long the queries of the probes took to see what was published, in ms. */
export interface Latency {
  samples: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const WINDOW = 64;
/** Of scored groups under way, at full speed: the cluster's admission bounds them in the same way. */
const BACKLOG_BYTES = 48 * 1024 * 1024;
const CURVE_EVERY_MS = 20;
/** Longest wait for the writer to work off what was published. */
const DRAIN_TIMEOUT_MS = 10 * 60_000;
/** Every so many messages of a generator, one is waited for in the store. */
const PROBE_EVERY = 10;
/** A writer that was never seen to write gets this as its batch. */
const FALLBACK_BATCH_ROWS = 5000;

/** Publishes about `steps` steps of a job, and follows them into the store. */
export async function pathTurn(
  parts: Parts,
  { job, steps, stepsPerSecond, probe }: { job: string; steps: number; stepsPerSecond?: number; probe?: Probe },
): Promise<PathTurn & { published: GeneratorResult[] }> {
  const { stand, generators, folder, logs, progress, signal } = parts;
  const share = Math.max(1, Math.ceil(steps / meanSteps(parts.templates) / generators.length));
  progress.say(`${job} · making ${share * generators.length} groups`);
  const prepared = await Promise.all(
    generators.map((generator, first) =>
      generator.order({ kind: 'prepare', job, first, stride: generators.length, count: share, ...(probe && { probe }) }),
    ),
  );
  const total = sum(prepared.map(({ messages }) => messages));
  const made = sum(prepared.map((one) => one.steps));
  const settled = async (): Promise<number> => {
    const { lastSequence, messages } = await stand.bus.streamState('SCORED');
    return lastSequence - messages;
  };
  const before = { settled: await settled(), cpu: stand.sampler.cpuSeconds(), ...(await batches(stand)) };
  const startMs = Date.now();
  const busyBefore = busySeconds();
  const publishing = Promise.all(
    generators.map((generator, at) => {
      const log = join(folder, `${job}-${at}.log`);
      logs.push(log);
      const pace =
        stepsPerSecond === undefined ? { backlogBytes: BACKLOG_BYTES } : { stepsPerSecond: stepsPerSecond / generators.length };
      return generator.order({ kind: 'publish', stream: 'SCORED', window: WINDOW, log, ...pace });
    }),
  );
  let failed = false;
  publishing.catch(() => (failed = true));
  const curve: Point[] = [];
  for (let done = 0; done < total && !failed; await sleep(CURVE_EVERY_MS)) {
    signal.throwIfAborted();
    done = (await settled()) - before.settled;
    curve.push({ ms: Date.now(), done });
    const stored = Math.round((done / total) * made);
    progress.say(
      `${job} · ${percent(done / total)} · ${thousands((1000 * stored) / Math.max(1, Date.now() - startMs))} steps/s so far`,
    );
    if (Date.now() - startMs > DRAIN_TIMEOUT_MS)
      throw new MillraceError(
        'deadline_exceeded',
        `the writer has stored ${done} of ${total} messages in ${DRAIN_TIMEOUT_MS / 60_000} minutes`,
      );
  }
  const published = await publishing;
  const after = { cpu: stand.sampler.cpuSeconds(), ...(await batches(stand)) };
  const cpuSeconds = difference(after.cpu, before.cpu);
  const seconds = (curve.at(-1)!.ms - startMs) / 1000;
  return {
    stepsPerSecond: (sustainedRate(curve, startMs) * made) / total,
    steps: made,
    seconds,
    batchRows:
      after.batches === before.batches ? FALLBACK_BATCH_ROWS : (after.rows - before.rows) / (after.batches - before.batches),
    cpuSeconds,
    coresOfOthers: Math.max(0, (busySeconds() - busyBefore - sum(Object.values(cpuSeconds))) / seconds),
    published,
  };
}

/** Publishes at a set rate, and waits in the store for every tenth group. */
export async function latencyTurn(
  parts: Parts,
  { job, steps, stepsPerSecond }: { job: string; steps: number; stepsPerSecond: number },
): Promise<PathTurn & { latency: Latency }> {
  const { generators, templates, stand, signal } = parts;
  const probe: Probe = { job: `${job}-probe`, every: PROBE_EVERY };
  const share = Math.max(1, Math.ceil(steps / meanSteps(templates) / generators.length));
  const sequences: number[] = [];
  for (let at = 0; at < share; at += PROBE_EVERY)
    generators.forEach((_, first) => sequences.push(first + at * generators.length));
  const enough = new AbortController();
  const seeing = awaitQueryable(
    (sql) => stand.query(sql),
    { job: probe.job, sequences, templates },
    AbortSignal.any([enough.signal, signal]),
  );
  seeing.catch(() => {});
  const turn = await pathTurn(parts, { job, steps, stepsPerSecond, probe });
  const patience = setTimeout(() => enough.abort(), 30_000);
  const seen = await seeing;
  clearTimeout(patience);
  const due = new Map(turn.published.flatMap(({ sequences: all, dueMs }) => all.map((sequence, at) => [sequence, dueMs[at]!])));
  // What was never seen counts as seen never: it spoils the figures, and the proof of what was lost says why.
  const latencies = sequences.map((sequence) => (seen.get(sequence) ?? Infinity) - (due.get(sequence) ?? 0));
  const at = (p: number): number => Math.round(quantile(latencies, p));
  return { ...turn, latency: { samples: latencies.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) } };
}

/** The same groups once more, through a stream to a consumer that does nothing. Bytes a second. */
export async function jetStreamTurn({ generators, consumer, progress }: Parts): Promise<number> {
  progress.say('raw JetStream');
  await consumer.order({ kind: 'reset' });
  const published = await Promise.all(
    generators.map((generator) => generator.order({ kind: 'publish', stream: 'GROUPS', window: WINDOW })),
  );
  const taken = await consumer.order({ kind: 'take', messages: sum(published.map(({ messages }) => messages)) });
  const began = Math.min(...published.flatMap(({ dueMs }) => dueMs[0] ?? Infinity));
  return (1000 * taken.bytes) / Math.max(1, taken.lastMs - began);
}

/** The same rows in batches of the same size, into an engine of its own. */
export async function rawTurn(
  { raw, progress }: Parts,
  order: Omit<Extract<RawOrder, { kind: 'insert' }>, 'kind'>,
): Promise<RawTurn> {
  progress.say(`raw inserts · batches of ${Math.round(order.batchRows)} rows`);
  const { steps, seconds, cpuSeconds } = await raw.order({ kind: 'insert', ...order });
  return { stepsPerSecond: steps / seconds, steps, seconds, cpuSeconds };
}

async function batches(stand: Testbed): Promise<{ rows: number; batches: number }> {
  return { rows: await stand.counter('store_rows_total'), batches: await stand.counter('store_batches_total') };
}

/** Steps of a group on average. */
function meanSteps(templates: readonly GroupTemplate[]): number {
  return sum(templates.map(({ steps }) => steps.length)) / templates.length;
}

function difference(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, Math.round(100 * (value - (before[name] ?? 0))) / 100]),
  );
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const thousands = (value: number): string => Math.round(value).toLocaleString('en-US');
