import { join } from 'node:path';
import { runChild } from './child.ts';
import type { CurvePoint, TrainingRun } from './comparison.ts';
import type { TrainingSetup } from './millrace.ts';

/** A line of bench/peers/grpo.py. */
export type PeerLine =
  | { start: true; threads: number; torch: string; train: number; heldOut: number }
  | {
      round: number;
      trajectories: number;
      seconds: number;
      /** Of the round; absent before the first. */
      reward?: number;
      /** Seconds of all so far in which the script waited for the flows. */
      environmentSeconds?: number;
      /** Present after an evaluation. */
      success?: number;
    };

/** The peer's run and how it went. */
export interface PeerRun {
  run: TrainingRun;
  threads: number;
  torch: string;
  /** Seconds in which it waited for the flows. */
  environmentSeconds: number;
}

/** Puts the lines of a run together. */
export function runOfLines(lines: readonly PeerLine[]): PeerRun {
  const curve: CurvePoint[] = [];
  const peer = { threads: 0, torch: '', environmentSeconds: 0 };
  let [trajectories, seconds] = [0, 0];
  for (const line of lines) {
    if ('start' in line) {
      peer.threads = line.threads;
      peer.torch = line.torch;
      continue;
    }
    ({ trajectories, seconds } = line);
    peer.environmentSeconds = line.environmentSeconds ?? 0;
    if (line.success !== undefined) curve.push({ trajectories, seconds, success: line.success });
  }
  return { run: { system: 'pytorch', trajectories, seconds, curve }, ...peer };
}

/** How the peer is started. */
export interface PeerOptions {
  /** A python with torch, and what it needs in its environment. */
  python: string;
  env: NodeJS.ProcessEnv;
  /** Training ends after the round in which this much time is reached. Default: the job's rounds. */
  seconds?: number;
  onLine: (line: PeerLine) => void;
  signal: AbortSignal;
}

/** Trains with bench/peers/grpo.py. */
export async function trainPytorch(
  setup: TrainingSetup,
  { python, env, seconds, onLine, signal }: PeerOptions,
): Promise<PeerRun> {
  const environment = [process.execPath, '--import', 'tsx', 'bench/train/environment-main.ts', setup.job, setup.data ?? '-'];
  const limit = seconds === undefined ? [] : ['--seconds', String(seconds)];
  const args = [join('bench', 'peers', 'grpo.py'), ...limit, '--', ...environment, ...setup.overrides];
  const lines: PeerLine[] = [];
  await runChild(python, args, {
    env: { ...process.env, ...env },
    signal,
    onLine(text) {
      const line = JSON.parse(text) as PeerLine;
      lines.push(line);
      onLine(line);
    },
  });
  return runOfLines(lines);
}
