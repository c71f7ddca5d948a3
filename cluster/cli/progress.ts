import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { NOTHING_TO_DECIDE, POLICY_COLLAPSED } from '../../src/jobs/collapse.ts';
import { successRate, rateText } from '../../src/jobs/success-rate.ts';
import { duration, figure, oneLine } from './format.ts';

/** What the progress line shows. Numbers that are not known yet are undefined. */
export interface ProgressView {
  /** "queued", "running", "paused", "succeeded", "failed", "cancelled". */
  state: string;
  /** Committed rounds. */
  round: number;
  rounds: number;
  /** Mean training reward of the last round. */
  reward?: number | undefined;
  /** Success on the held-out tasks at the newest evaluation, 0 to 1. */
  heldOut?: number | undefined;
  /** The same for people, and what it is a rate of where not all flows were judged. */
  heldOutText?: string | undefined;
  trajectoriesPerSecond?: number | undefined;
  /** Mean staleness of the last round, in versions. */
  staleness?: number | undefined;
  /** Seconds until the end. */
  etaSeconds?: number | undefined;
  /** What the job waits for; shown until the first round is committed, while the job does not run and while it is quiet. */
  waitingFor: string;
  /** The running job has received nothing for half a minute or more. */
  quiet: boolean;
  /** What makes the training pointless, while it lasts. */
  warning?: string | undefined;
}

/** The view of a job as the admin API gives it. */
export function progressOf(job: Job): ProgressView {
  const { progress } = job;
  const measured = job.evaluations.findLast(({ name }) => name === 'trained' || name === 'untrained');
  return {
    state: stateName(job.state),
    round: progress?.round ?? 0,
    rounds: progress?.roundsTotal ?? 0,
    reward: progress?.reward,
    heldOut: measured && measured.tasks > measured.failed ? successRate(measured).success : undefined,
    heldOutText: measured && rateText(measured),
    trajectoriesPerSecond: progress && progress.trajectoriesPerSecond > 0 ? progress.trajectoriesPerSecond : undefined,
    staleness: progress?.staleness,
    etaSeconds: etaOf(job),
    waitingFor: job.waitingFor,
    quiet: (progress?.quietSeconds ?? 0) > 0,
    warning: warningOf(job),
  };
}

const WARNINGS: Readonly<Record<string, string>> = {
  [POLICY_COLLAPSED]: 'POLICY COLLAPSED',
  [NOTHING_TO_DECIDE]: 'NOTHING TO DECIDE',
};

function warningOf({ notices }: Job): string | undefined {
  return notices.flatMap(({ code, resolveTime }) => (resolveTime ? [] : (WARNINGS[code] ?? [])))[0];
}

/** Seconds to the end of a running job; undefined where that is not known, or nothing is left but the last evaluation. */
export function etaOf({ state, progress }: Job): number | undefined {
  const { round = 0, roundsTotal = 0, etaSeconds = -1 } = progress ?? {};
  return state === JobState.RUNNING && round < roundsTotal && etaSeconds >= 0 ? Math.max(1, etaSeconds) : undefined;
}

/** "running", "succeeded" and so on; "unknown" for what a newer server may send. */
export function stateName(state: JobState): string {
  return state === JobState.UNSPECIFIED ? 'unknown' : (JobState[state]?.toLowerCase() ?? 'unknown');
}

/**
 * One line of progress: `round  41/300 · reward 0.62 · held out 71.2 % · 312 trajectories/s · staleness 0.40 · ETA 1m 32s`.
 * What is not known is left out. Cut to `width` characters when given.
 */
export function progressLine(view: ProgressView, width = Infinity): string {
  const rounds = String(view.rounds);
  const parts = [`round ${String(view.round).padStart(rounds.length)}/${rounds}`];
  if (view.state !== 'running') parts.unshift(view.state);
  if (view.warning !== undefined) parts.push(view.warning);
  if (view.reward !== undefined) parts.push(`reward ${view.reward.toFixed(2)}`);
  if (view.heldOutText !== undefined) parts.push(`held out ${view.heldOutText}`);
  if (view.trajectoriesPerSecond !== undefined) parts.push(`${figure(view.trajectoriesPerSecond)} trajectories/s`);
  if (view.staleness !== undefined) parts.push(`staleness ${view.staleness.toFixed(2)}`);
  if (view.state === 'running' && view.etaSeconds !== undefined) parts.push(`ETA ${duration(view.etaSeconds)}`);
  const waiting = `waiting for ${oneLine(view.waitingFor)}`;
  // What a quiet job waits for is the news: a narrow terminal must not cut it off.
  if (view.waitingFor !== '' && view.quiet) parts.splice(1, 0, waiting);
  else if (view.waitingFor !== '' && (view.round === 0 || view.state !== 'running')) parts.push(waiting);
  const line = parts.join(' · ');
  return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
