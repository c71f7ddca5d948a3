import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { pytorchCommand, PYTORCH_MISSING } from '../compute/participants.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { comparisonText, ratioOf, rowOf, type TrainingRow } from './comparison.ts';
import { trainMillrace, type TrainingSetup } from './millrace.ts';
import { trainPytorch, type PeerLine } from './pytorch.ts';

const JOB = 'examples/retail/outcome-only.yaml';
/** Seconds between two lines of the peer's progress. */
const PROGRESS_SECONDS = 10;

/** What `--json` writes. */
export interface TrainReport {
  rows: TrainingRow[];
  /** Trajectories/s of Millrace over PyTorch's, over the trajectories that both made; null without PyTorch. */
  ratio: number | null;
}

interface Options {
  json?: string;
  seconds?: number;
  data?: string;
  set: string[];
}

/** The whole training of examples/retail: the cluster, then a single-process PyTorch script of the same task and network. */
export const train: Scenario = {
  name: 'train',
  summary: 'training of examples/retail: the cluster beside a single-process PyTorch script of the same task and network',
  configure(command) {
    command
      .option('--json <file>', 'also write the rows and their ratio to this file')
      .option('--seconds <n>', 'cut the PyTorch script short after this many seconds of training', positive)
      .option('--data <path>', "folder of task data in place of the example's own")
      .option('--set <path=value>', 'override a value of the job, for both; may be repeated', append, []);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const data = options.data === undefined ? undefined : resolve(options.data);
    const setup: TrainingSetup = { job: JOB, data, overrides: options.set };
    const report = await measure(setup, options.seconds, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return 0;
  },
};

async function measure(setup: TrainingSetup, seconds: number | undefined, context: BenchContext): Promise<TrainReport> {
  const { signal } = context;
  context.note(load('before millrace'));
  const millrace = await trainMillrace(setup, signal);
  const rows = [rowOf(millrace)];
  const python = pytorchCommand();
  if (python === undefined) {
    context.note(PYTORCH_MISSING);
    context.print(comparisonText(rows));
    return { rows, ratio: null };
  }
  context.note(load('before pytorch'));
  const peer = await trainPytorch(setup, {
    python: python.file,
    env: python.env ?? {},
    ...(seconds !== undefined && { seconds }),
    onLine: progress(context),
    signal,
  });
  rows.push(rowOf(peer.run));
  const { ratio, trajectories } = ratioOf(millrace, peer.run);
  const share = (100 * peer.environmentSeconds) / Math.max(1e-9, peer.run.seconds);
  context.print(comparisonText(rows));
  context.print(
    `millrace/pytorch: ${ratio.toFixed(2)} times the trajectories/s, over the first ${trajectories.toLocaleString('en-US')}`,
  );
  context.print(`PyTorch ${peer.torch}, ${peer.threads} thread(s); ${share.toFixed(0)} % of its time in the flows`);
  return { rows, ratio };
}

function load(when: string): string {
  return `load average ${when}: ${loadavg()[0]!.toFixed(1)}`;
}

function progress(context: BenchContext): (line: PeerLine) => void {
  let shown = 0;
  return (line) => {
    if ('start' in line) return context.note(`pytorch ${line.torch}: ${line.train} training tasks, ${line.heldOut} held out`);
    if (line.success === undefined && line.seconds < shown + PROGRESS_SECONDS) return;
    shown = line.seconds;
    const { round, trajectories, seconds, reward, success } = line;
    const parts = [`round ${round}`, `${trajectories} trajectories in ${seconds.toFixed(1)} s`];
    if (reward !== undefined) parts.push(`reward ${reward.toFixed(2)}`);
    if (success !== undefined) parts.push(`held out ${(100 * success).toFixed(1)} %`);
    context.note(`pytorch: ${parts.join(' · ')}`);
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
