import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { pytorchCommand, PYTORCH_MISSING } from '../compute/participants.ts';
import { listOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { comparisonText, PEERS, ratioOf, rowOf, type Peer, type TrainingRow } from './comparison.ts';
import { trainMillrace, type TrainingSetup } from './millrace.ts';
import { trainPytorch, type PeerLine, type PeerRun } from './pytorch.ts';

const JOB = 'bench/train/retail-grpo.yaml';
/** Seconds between two lines of the peer's progress. */
const PROGRESS_SECONDS = 10;
/** Times the trajectories/s of the script in one process that Millrace is to make on two cores. */
const TARGET = 3;

/** What `--json` writes. */
export interface TrainReport {
  rows: TrainingRow[];
  /** Trajectories/s of Millrace over those of each script, over the trajectories that both made; null where it did not run. */
  ratios: Record<Peer, number | null>;
  /** What `ratios.python` should be at least: that script is one process. */
  target: number;
  /** How each script ran. */
  peers: Pick<PeerRun, 'threads' | 'torch' | 'environmentSeconds'>[];
}

interface Options {
  json?: string;
  seconds?: number;
  data?: string;
  set: string[];
  peers?: string;
}

/** The whole training of examples/retail: the cluster, then PyTorch scripts of the same task and network. */
export const train: Scenario = {
  name: 'train',
  summary:
    'training of examples/retail: the cluster beside a PyTorch script that runs the flows itself, and one whose flows Node.js runs',
  configure(command) {
    command
      .option('--json <file>', 'also write the rows and the ratios to this file')
      .option(
        '--peers <list>',
        "PyTorch scripts to run: python (one process, flows in Python: the ratio's target is for this one), node (our own flows in " +
          'a Node.js child); default: both',
      )
      .option('--seconds <n>', 'cut each PyTorch script short after this many seconds of training', positive)
      .option('--data <path>', "folder of task data in place of the example's own")
      .option('--set <path=value>', 'override a value of the job, for all; may be repeated', append, []);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const data = options.data === undefined ? undefined : resolve(options.data);
    const setup: TrainingSetup = { job: JOB, data, overrides: options.set };
    const peers = PEERS.filter((peer) => listOf('--peers', options.peers, PEERS).includes(peer));
    const report = await measure(setup, peers, options.seconds, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return 0;
  },
};

async function measure(
  setup: TrainingSetup,
  peers: readonly Peer[],
  seconds: number | undefined,
  context: BenchContext,
): Promise<TrainReport> {
  const { signal } = context;
  context.note(load('before millrace'));
  const millrace = await trainMillrace(setup, signal);
  const report: TrainReport = { rows: [rowOf(millrace)], ratios: { python: null, node: null }, target: TARGET, peers: [] };
  const told: string[] = [];
  const python = pytorchCommand();
  if (python === undefined) context.note(PYTORCH_MISSING);
  for (const peer of python === undefined ? [] : peers) {
    context.note(load(`before pytorch-${peer}`));
    const { run, threads, torch, environmentSeconds } = await trainPytorch(peer, setup, {
      ...{ python: python!.file, env: python!.env ?? {}, onLine: progress(`pytorch-${peer}`, context), signal },
      ...(seconds !== undefined && { seconds }),
    });
    const { ratio, trajectories } = ratioOf(millrace, run);
    report.rows.push(rowOf(run));
    report.ratios[peer] = ratio;
    report.peers.push({ threads, torch, environmentSeconds });
    const share = (100 * environmentSeconds) / Math.max(1e-9, run.seconds);
    told.push(
      `millrace/${run.system}: ${ratio.toFixed(2)} times the trajectories/s, over the first ${trajectories.toLocaleString('en-US')}` +
        (peer === 'python' ? ` (target: ${TARGET})` : ''),
      `${run.system}: PyTorch ${torch}, ${threads} thread(s); ${share.toFixed(0)} % of its time in the flows`,
    );
  }
  context.print(comparisonText(report.rows));
  for (const line of told) context.print(line);
  return report;
}

function load(when: string): string {
  return `load average ${when}: ${loadavg()[0]!.toFixed(1)}`;
}

function progress(system: string, context: BenchContext): (line: PeerLine) => void {
  let shown = 0;
  return (line) => {
    if ('start' in line)
      return context.note(`${system}, PyTorch ${line.torch}: ${line.train} training tasks, ${line.heldOut} held out`);
    if (line.success === undefined && line.seconds < shown + PROGRESS_SECONDS) return;
    shown = line.seconds;
    const { round, trajectories, seconds, reward, success } = line;
    const parts = [`round ${round}`, `${trajectories} trajectories in ${seconds.toFixed(1)} s`];
    if (reward !== undefined) parts.push(`reward ${reward.toFixed(2)}`);
    if (success !== undefined) parts.push(`held out ${(100 * success).toFixed(1)} %`);
    context.note(`${system}: ${parts.join(' · ')}`);
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

function append(value: string, before: string[]): string[] {
  return [...before, value];
}
