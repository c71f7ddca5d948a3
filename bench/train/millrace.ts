import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainingReport } from '../../cluster/report/report.ts';
import { ROOT, runChild } from './child.ts';
import type { TrainingRun } from './comparison.ts';

/** What both systems train. */
export interface TrainingSetup {
  /** Job file, relative to the repository. */
  job: string;
  /** Absolute; undefined for the flow's own source. */
  data: string | undefined;
  /** `path=value` texts. */
  overrides: readonly string[];
}

/** Trains on a cluster of its own in a temporary state folder, as `npm start` does. */
export async function trainMillrace(setup: TrainingSetup, signal: AbortSignal): Promise<TrainingRun> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-train-'));
  try {
    const report = join(folder, 'report.json');
    const args = ['--state', join(folder, 'state'), 'train', setup.job, '--report', report];
    if (setup.data !== undefined) args.push('--data', setup.data);
    for (const override of setup.overrides) args.push('--set', override);
    await runChild(process.execPath, [join(ROOT, 'bin', 'millrace.js'), ...args], { env: process.env, signal });
    return runOfReport(JSON.parse(await readFile(report, 'utf8')) as TrainingReport);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The part of a report that is compared. */
export function runOfReport({ trajectories, trainSeconds, curve }: TrainingReport): TrainingRun {
  const points = curve.flatMap(({ trajectories: until, seconds, success }) =>
    success === null ? [] : [{ trajectories: until, seconds, success }],
  );
  return { system: 'millrace', trajectories, seconds: trainSeconds, curve: points };
}
