import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSerial, type SerialResult } from '../../cluster/serial/index.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig, parseJobConfig } from '../../src/config/load.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { successRate } from '../../src/jobs/success-rate.ts';
import { curveOf, firstReaching, summarise, type CurvePoint, type MetricSummary } from './curve.ts';

/** One training of one job with one configuration and one seed. */
export interface TrialSetup {
  /** Path of the job file, relative to the repository's root. */
  job: string;
  /** `path=value` overrides of the job file, `seed=` among them. */
  overrides: readonly string[];
  /** Takes the place of the job file's whole `algorithm:` block. */
  algorithm?: Readonly<Record<string, unknown>>;
  /** Held-out success that counts as learned, 0 to 1. */
  target: number;
  /** Virtual milliseconds that each message of a learner takes: with any, rollouts run ahead as far as η lets them. Default 0. */
  learnerDelayMs?: number;
}

/** What became of a trial; plain JSON. */
export interface TrialResult {
  setup: TrialSetup;
  /** `SUCCEEDED`, or why it did not: the state and the error. */
  state: string;
  error: string;
  /** Held-out success of the last evaluation, 0 to 1. */
  heldOut: number;
  /** The first evaluation at or above the target. */
  toTarget: CurvePoint | null;
  curve: CurvePoint[];
  /** Success of the version that was best on the validation tasks, on the test tasks, 0 to 1; null where they were not measured. */
  tested: number | null;
  /** Trajectories of all requests that were sent, those that expired or failed among them. */
  trajectories: number;
  /** Seconds of the whole training and its evaluations by the wall clock; processor seconds of the process, its start included. */
  seconds: number;
  cpuSeconds: number;
  peakMiB: number;
  /** How many versions old the trained groups were: mean and most over all rounds. */
  staleness: { mean: number; max: number };
  ledger: { trained: number; filtered: number; expired: number; failed: number };
  /** Everything that is logged with an update, by name. */
  metrics: Record<string, MetricSummary>;
}

/** Columns of `updates` that say where a row belongs, not how training went. */
const NOT_METRICS = new Set(['job', 'version', 'committed_at', 'metrics']);

/**
 * Runs one trial in this process, through the cluster's own code in serial mode: one learner, one rollout worker, virtual
 * time. The same setup gives the same curve in every run; only the times differ.
 */
export async function runTrial(setup: TrialSetup): Promise<TrialResult> {
  const config = trialConfig(setup);
  const stateDir = await mkdtemp(join(tmpdir(), 'millrace-trial-'));
  const started = performance.now();
  const seen = new Map<string, number>();
  const stamp = (job: Job): void => {
    for (const { name, policyVersion } of job.evaluations) {
      const key = `${name}@${policyVersion}`;
      if (!seen.has(key)) seen.set(key, (performance.now() - started) / 1000);
    }
  };
  try {
    const { learnerDelayMs: delay } = setup;
    const result = await runSerial(config, {
      stateDir,
      onJob: stamp,
      ...(delay !== undefined && delay > 0 && { learnerDelayMs: () => delay }),
    });
    const curve = curveOf(result.job.evaluations, (version) => seen.get(`trained@${version}`) ?? 0);
    return {
      ...outcome(setup, config, result),
      curve,
      heldOut: curve.at(-1)?.success ?? 0,
      toTarget: firstReaching(curve, setup.target) ?? null,
      tested: testedOf(result.job),
      seconds: (performance.now() - started) / 1000,
      ...usage(),
    };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

function testedOf({ evaluations }: Job): number | null {
  const tested = evaluations.find(({ name }) => name === 'test-trained');
  return tested === undefined ? null : successRate(tested).success;
}

/** The job as the trial runs it. `invalid_argument` when the method does not take what its block says. */
export function trialConfig({ job, overrides, algorithm }: TrialSetup): JobConfig {
  const { config } = loadJobConfig(job, { overrides });
  return algorithm === undefined ? config : parseJobConfig({ ...config, algorithm }, 'the trial');
}

type Outcome = Pick<TrialResult, 'setup' | 'state' | 'error' | 'trajectories' | 'staleness' | 'ledger' | 'metrics'>;

function outcome(setup: TrialSetup, config: JobConfig, { job, store }: SerialResult): Outcome {
  const updates = store.rows('updates').map(flat);
  const metrics = summarise(updates.map((row) => row.numbers));
  const { trained = 0n, filtered = 0n, expired = 0n, failed = 0n } = job.progress?.ledger ?? {};
  return {
    setup,
    state: JobState[job.state],
    error: job.error,
    trajectories: Number(job.progress?.requests ?? 0) * config.rollout.groupSize,
    staleness: { mean: metrics['staleness_mean']?.mean ?? 0, max: metrics['staleness_max']?.max ?? 0 },
    ledger: { trained: Number(trained), filtered: Number(filtered), expired: Number(expired), failed: Number(failed) },
    metrics,
  };
}

/** An update's numbers: its columns and what the method logged by name. */
function flat(row: Readonly<Record<string, unknown>>): { numbers: Record<string, number> } {
  const own = Object.entries(row).filter(([name]) => !NOT_METRICS.has(name));
  const logged = Object.entries((row['metrics'] ?? {}) as Record<string, unknown>);
  const numbers = [...own, ...logged].filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return { numbers: Object.fromEntries(numbers) };
}

function usage(): { cpuSeconds: number; peakMiB: number } {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) };
}
