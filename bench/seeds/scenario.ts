import { loadavg } from 'node:os';
import { seedsUpTo, trialOptions, trialsOptions, type TrialTableOptions } from '../algorithms/options.ts';
import { runTrials } from '../algorithms/trials.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { append } from '../load/options.ts';
import { columns, gateLines, number } from '../load/table.ts';
import type { Scenario } from '../scenario.ts';
import { endOf, figuresOf, type SeedEnd } from './ends.ts';

interface Options extends TrialTableOptions {
  job: string;
  target: string;
  gate: string[];
}

const FIGURES = ['leastTested', 'meanToTarget'] as const;
const GATES = ['leastTested>=0.95', 'meanToTarget<=8000'];

/** Where a job ends with one seed after the other, in serial mode: the learning of the cluster without its delays. */
export const seeds: Scenario = {
  name: 'seeds',
  summary: 'one job with several seeds: success on the test tasks, trajectories to a target, how steadily it grew',
  configure(command) {
    trialOptions(command, { seeds: 8, rounds: false })
      .option('--job <file>', 'the job', 'examples/retail/job.yaml')
      .option('--target <share>', 'success on the validation tasks that counts as learned', '0.85')
      .option('--gate <bound>', 'figure and bound in place of a default; may be repeated', append, []);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const { job, set } = options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const overrides = ['evaluation.baselines=false', 'evaluation.samples=0', ...set];
    const planned = seedsUpTo(options.seeds).map((seed) => ({
      label: job,
      setup: { job, target: Number(options.target), overrides: [...overrides, seed] },
    }));
    context.note(`${planned.length} seeds, ${options.parallel} at a time; load average ${loadavg()[0]!.toFixed(1)}`);
    const trials = await runTrials(planned, trialsOptions(options), context);
    const failed = trials.filter(({ result }) => result.state !== 'SUCCEEDED');
    for (const { setup, result } of failed) context.print(`${setup.overrides.at(-1)}: ${result.error}`);
    if (failed.length > 0) return 1;
    const ends = trials.map(({ result }, i) => endOf(i + 1, result));
    const results = checkGates(gates, figuresOf(ends));
    for (const line of [...tableOf(ends, options.target), '', ...gateLines(results)]) context.print(line);
    return results.every(({ kept }) => kept) ? 0 : 1;
  },
};

function tableOf(ends: readonly SeedEnd[], target: string): string[] {
  const percent = (share: number | null): string => (share === null ? '–' : `${number(100 * share, 1)} %`);
  const header = ['seed', 'test', 'best validation', 'last validation', `trajectories to ${percent(Number(target))}`];
  return columns(
    [...header, 'largest drop (points)', 'CPU s'],
    ends.map(({ seed, tested, best, last, toTarget, largestDrop, cpuSeconds }) => [
      ...[number(seed), percent(tested), percent(best), percent(last), toTarget === null ? 'never' : number(toTarget)],
      ...[number(largestDrop, 1), number(cpuSeconds)],
    ]),
  );
}
