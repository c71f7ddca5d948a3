import { plot } from 'asciichart';
import { stringify } from 'yaml';
import { assign } from '../../../src/config/layers.ts';
import type { Objective } from '../../../src/tune/objective.ts';
import { bestTrial, objectiveOf, type SearchPlan, type Trial, type TrialState } from '../../../src/tune/search.ts';
import type { Value, Values } from '../../../src/tune/space.ts';
import { percent } from '../../../src/jobs/percent.ts';
import { duration, oneLine } from '../format.ts';
import { table } from '../table.ts';

const CHART_WIDTH = 60;
const CHART_HEIGHT = 8;

/** A search as `--json` writes it. */
export interface TuneResult {
  /** Name of the job. */
  job: string;
  /** finished: all trials; exhausted: nothing was left to try; failed: trials failed one after the other; interrupted: Ctrl-C. */
  state: 'finished' | 'exhausted' | 'failed' | 'interrupted';
  objective: Objective;
  rungs: readonly number[];
  keep: number;
  parameters: SearchPlan['space'];
  trials: (Trial & { objective: number | null })[];
  best: { trial: number; job: string; objective: number | null; values: Values } | null;
  /** Rounds that were trained, and that would have been without halving. */
  rounds: { trained: number; whole: number };
  /** Seconds of this command. */
  seconds: number;
}

/** Puts the result together. */
export function tuneResult(
  job: string,
  plan: SearchPlan,
  trials: readonly Trial[],
  { state, seconds }: Pick<TuneResult, 'state' | 'seconds'>,
): TuneResult {
  const { objective, halving, space } = plan;
  const best = bestTrial(trials);
  return {
    job,
    state,
    objective,
    rungs: halving.rounds,
    keep: halving.keep,
    parameters: space,
    trials: trials.map((trial) => ({ ...trial, objective: objectiveOf(objective, trial) ?? null })),
    best: best
      ? { trial: best.number, job: best.job, objective: objectiveOf(objective, best) ?? null, values: best.values }
      : null,
    rounds: {
      trained: trials.reduce((sum, { rounds }) => sum + rounds, 0),
      whole: trials.length * halving.rounds.at(-1)!,
    },
    seconds,
  };
}

/** The result for people: table, plot, the best settings. */
export function tuneText(result: TuneResult): string {
  if (result.trials.length === 0) return '\nNo trial has ended.\n';
  const sections = [tableText(result), failuresText(result), plotText(result), bestText(result), costText(result)];
  return `\n${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** Parameters by the last part of their path; by the whole path where two share the last part. */
export function shortNames(paths: readonly string[]): string[] {
  const last = paths.map((path) => path.split('.').at(-1)!);
  return paths.map((path, i) => (last.indexOf(last[i]!) === last.lastIndexOf(last[i]!) ? last[i]! : path));
}

/** `learningRate 0.0062 · entropy 0.031`. */
export function valuesText(values: Values): string {
  const names = shortNames(Object.keys(values));
  return Object.values(values)
    .map((value, i) => `${names[i]!} ${valueText(value)}`)
    .join(' · ');
}

/** One line on a trial that has ended. */
export function trialLine(trial: Trial, plan: SearchPlan): string {
  const whole = plan.halving.rounds.at(-1)!;
  const how: Record<TrialState, string> = {
    done: `done, ${trial.rounds} rounds`,
    reached: `reached it in round ${trial.rounds} of ${whole}`,
    stopped: `stopped at round ${trial.rounds} of ${whole}`,
    failed: `failed: ${oneLine(trial.error ?? '')}`,
  };
  const parts = [`trial ${trial.number}/${plan.trials}`, how[trial.state]];
  const success = trial.measurements.at(-1)?.success;
  if (plan.objective.kind === 'trajectories-to') {
    const reached = objectiveOf(plan.objective, trial);
    if (reached !== undefined) parts.push(objectiveText(plan.objective, reached));
  }
  if (success !== undefined) parts.push(`held out ${percent(success)}`);
  return [...parts, duration(trial.seconds)].join(' · ');
}

function tableText({ trials, best, objective, parameters }: TuneResult): string {
  const names = shortNames(Object.keys(parameters));
  const target = objective.kind === 'trajectories-to' ? [`TO ${percent(objective.target)}`] : [];
  const header = ['', 'TRIAL', ...names, 'ENDED', 'ROUNDS', ...target, 'HELD OUT', 'TIME'];
  const rows = trials.map((trial) => {
    const success = trial.measurements.at(-1)?.success;
    return [
      trial.number === best?.trial ? '*' : '',
      String(trial.number),
      ...Object.keys(parameters).map((path) => valueText(trial.values[path]!)),
      trial.state,
      String(trial.rounds),
      ...(target.length > 0 ? [trial.objective === null ? '–' : trial.objective.toLocaleString('en')] : []),
      success === undefined ? '–' : percent(success),
      duration(trial.seconds),
    ];
  });
  const right = header.flatMap((name, i) => (i > 0 && name !== 'ENDED' ? [i] : []));
  return `Trials (* the best)\n${table(header, rows, { right, maxCell: 40 }).trimEnd()}`;
}

function failuresText({ trials }: TuneResult): string {
  return trials
    .filter(({ state }) => state === 'failed')
    .map(({ number, error }) => `trial ${number} failed: ${oneLine(error ?? '')}`)
    .join('\n');
}

function plotText({ trials, objective }: TuneResult): string {
  const best = trials.map((_, i) => {
    const so = bestTrial(trials.slice(0, i + 1));
    return so && objectiveOf(objective, so);
  });
  const first = best.findIndex((value) => value !== undefined);
  const known = best.slice(first).filter((value) => value !== undefined);
  if (first < 0 || known.length < 2) return '';
  const series = Array.from({ length: CHART_WIDTH }, (_, i) => known[Math.floor((i * known.length) / CHART_WIDTH)]!);
  const format = (value: number): string =>
    objective.kind === 'held-out-success' ? percent(value).padStart(8) : Math.round(value).toLocaleString('en').padStart(8);
  const title =
    objective.kind === 'held-out-success' ? 'Best held-out success' : `Trajectories to ${percent(objective.target)}, best`;
  // The library draws a line that is flat at a height that is not its own.
  if (new Set(known).size === 1) return `${title} so far: ${format(known[0]!).trim()} since trial ${first + 1}`;
  const chart = plot(series, { height: CHART_HEIGHT, format }).replace(/ +$/gm, '');
  const [from, to] = [String(first + 1), String(trials.length)];
  return `${title} so far\n${chart}\n${' '.repeat(10)}${from}${to.padStart(CHART_WIDTH - from.length)} trials`;
}

function bestText({ best, objective, rungs, trials }: TuneResult): string {
  if (!best) return 'No trial came to an evaluation.';
  const { rounds, measurements } = trials.find(({ number }) => number === best.trial)!;
  const success = percent(measurements.at(-1)!.success);
  const what =
    objective.kind === 'held-out-success'
      ? `${success} held out after ${measurements.at(-1)!.round} rounds`
      : best.objective === null
        ? `${success} held out after ${rounds} rounds; no trial reached ${percent(objective.target)} in ${rungs.at(-1)!} rounds`
        : objectiveText(objective, best.objective);
  const settings: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(best.values)) assign(settings, path.split('.'), value);
  return `Best: trial ${best.trial}, job ${best.job}: ${what}\n\n${stringify(settings).trimEnd()}`;
}

function costText({ rounds, state, seconds, trials }: TuneResult): string {
  const share = rounds.whole > 0 ? percent(rounds.trained / rounds.whole) : '–';
  const end = { finished: '', exhausted: '; nothing is left to try', failed: '; too many failed', interrupted: '; interrupted' };
  return `${trials.length} trials, ${rounds.trained} of ${rounds.whole} rounds trained (${share}), ${duration(seconds)}${end[state]}`;
}

function objectiveText(objective: Objective, value: number): string {
  return objective.kind === 'held-out-success'
    ? percent(value)
    : `${value.toLocaleString('en')} trajectories to ${percent(objective.target)}`;
}

function valueText(value: Value): string {
  return oneLine(String(value));
}
