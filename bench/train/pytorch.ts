import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child.ts';
import type { CurvePoint, Peer, TrainingRun } from './comparison.ts';
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
      /** Seconds of all so far that went into the flows. */
      environmentSeconds?: number;
      /** Present after an evaluation. */
      success?: number;
    };

/** The peer's run and how it went. */
export interface PeerRun {
  run: TrainingRun;
  threads: number;
  torch: string;
  /** Seconds that went into the flows: running them, or waiting for who does. */
  environmentSeconds: number;
}

/** Puts the lines of a run together. */
export function runOfLines(of: Peer, lines: readonly PeerLine[]): PeerRun {
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
  return { run: { system: `pytorch-${of}`, trajectories, seconds, curve }, ...peer };
}

/** How the peer is started. */
export interface PeerOptions {
  /** A python with torch, and what it needs in its environment. */
  python: string;
  env: NodeJS.ProcessEnv;
  /** Training ends after the round in which this much time is reached. Default: the job's rounds. */
  seconds?: number;
  /** Of PyTorch. Default: 1 or 2, whichever is faster. */
  threads?: number;
  onLine: (line: PeerLine) => void;
  signal: AbortSignal;
}

/** Trains with bench/peers/grpo.py, whose flows run where `peer` says. */
export async function trainPytorch(peer: Peer, setup: TrainingSetup, options: PeerOptions): Promise<PeerRun> {
  const job = [setup.job, setup.data ?? '-', ...setup.overrides];
  if (peer === 'node') {
    const environment = [process.execPath, '--import', 'tsx', 'bench/train/environment-main.ts', ...job];
    return runScript(peer, ['--', ...environment], options);
  }
  const folder = await mkdtemp(join(tmpdir(), 'millrace-retail-'));
  try {
    const file = join(folder, 'retail.json');
    const { signal } = options;
    await runChild(process.execPath, ['--import', 'tsx', 'bench/train/export-main.ts', file, ...job], {
      env: process.env,
      signal,
    });
    return await runScript(peer, ['--retail', file], options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runScript(
  peer: Peer,
  flows: readonly string[],
  { python, env, seconds, threads = 0, onLine, signal }: PeerOptions,
): Promise<PeerRun> {
  const limit = seconds === undefined ? [] : ['--seconds', String(seconds)];
  const lines: PeerLine[] = [];
  await runChild(python, [join('bench', 'peers', 'grpo.py'), '--threads', String(threads), ...limit, ...flows], {
    env: { ...process.env, ...env },
    signal,
    onLine(text) {
      const line = JSON.parse(text) as PeerLine;
      lines.push(line);
      onLine(line);
    },
  });
  return runOfLines(peer, lines);
}
