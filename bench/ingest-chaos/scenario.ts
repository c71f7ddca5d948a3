import { writeFile } from 'node:fs/promises';
import { checkGates, gatesOf, type GateResult } from '../load/gates.ts';
import { append, natural, positive } from '../load/options.ts';
import { createProgress } from '../load/progress.ts';
import { withScratch } from '../load/scratch.ts';
import { bytes, columns, gateLines, number } from '../load/table.ts';
import { templatesOf } from '../load/template-source.ts';
import { oneOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { runChaos, type ChaosResult } from './chaos.ts';

/** What `--json` writes. */
export interface ChaosReport extends ChaosResult {
  minutes: number;
  killEverySeconds: number;
  kills: number;
  /** Accepted trajectories and steps that are not in the store. */
  lost: number;
  /** Rows beyond the first of a natural key, as queries see it. */
  duplicated: number;
  gates: GateResult[];
}

interface Options {
  minutes: number;
  killEvery: number;
  rate: number;
  generators: number;
  data: string;
  seed: number;
  json?: string;
  gate: string[];
}

/** Figures of the result that a gate can be about. */
const FIGURES = ['kills', 'lost', 'duplicated', 'deadLetters'] as const;

/** Kills while trajectories stream in, and a proof afterwards. */
export const ingestChaos: Scenario = {
  name: 'ingest-chaos',
  summary: 'kills the store and the generators while trajectories stream in, and proves by SQL that each is there exactly once',
  configure(command) {
    command
      .option('--minutes <n>', 'how long generators publish', positive, 10)
      .option('--kill-every <seconds>', 'pause between two kills: the store and a generator by turns', positive, 5)
      .option('--rate <steps/s>', 'of all generators together', positive, 10_000)
      .option('--generators <n>', 'processes that publish', natural, 2)
      .option('--data <kind>', 'synthetic groups, or recorded ones of examples/retail', 'synthetic')
      .option('--seed <n>', 'decides which generator is killed', natural, 1)
      .option('--json <file>', 'also write the result to this file')
      .option('--gate <bound>', 'figure and bound in place of a default; may be repeated', append, []);
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const report = await withScratch((folder) => measure(options, folder, context));
    print(report, context);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.gates.every(({ kept }) => kept) ? 0 : 1;
  },
};

async function measure(options: Options, folder: string, { signal }: BenchContext): Promise<ChaosReport> {
  const { minutes, killEvery, rate: stepsPerSecond, generators, seed } = options;
  // A process that is not up again yet cannot be killed: a fifth of the kills may fall away for that.
  const expected = Math.floor(((minutes * 60) / killEvery - 1) * 0.8);
  const gates = gatesOf(['lost==0', 'duplicated==0', 'deadLetters==0', `kills>=${Math.max(0, expected)}`], options.gate, FIGURES);
  const progress = createProgress();
  try {
    const templates = await templatesOf(oneOf('--data', options.data, ['synthetic', 'recorded'] as const), progress, signal);
    const result = await runChaos({
      folder,
      forMs: minutes * 60_000,
      killEveryMs: killEvery * 1000,
      stepsPerSecond,
      generators,
      templates,
      seed,
      say: (text) => progress.say(text),
      signal,
    });
    const { verdict } = result;
    const figures: Record<(typeof FIGURES)[number], number> = {
      kills: result.killsOfStore + result.killsOfGenerators,
      lost: verdict.lostSteps + verdict.lostTrajectories,
      duplicated: verdict.duplicatedSteps + verdict.duplicatedTrajectories,
      deadLetters: result.deadLetters,
    };
    return { minutes, killEverySeconds: killEvery, ...result, ...figures, gates: checkGates(gates, figures) };
  } finally {
    progress.close();
  }
}

function print(report: ChaosReport, context: BenchContext): void {
  const { verdict } = report;
  const lines = [
    `${number(report.minutes, 2)} minutes, ${report.killsOfStore} kills of the store and ${report.killsOfGenerators} of generators; ${number(report.acceptedStepsPerSecond)} steps/s accepted, ${report.drainSeconds.toFixed(1)} s to write the rest`,
    `${number(verdict.acceptedSteps)} steps of ${number(verdict.acceptedTrajectories)} trajectories accepted: ${report.lost} lost, ${report.duplicated} doubled`,
    `${number(verdict.unmergedSteps)} repeated rows of steps and ${number(verdict.unmergedTrajectories)} of trajectories wait for a merge; ${number(verdict.unacknowledgedTrajectories)} trajectories are there whose acceptance nobody lived to note`,
    ...columns(
      ['process', 'cpu s', 'peak memory', 'restarts'],
      report.processes.map(({ name, cpuSeconds, peakRssBytes, restarts }) => [
        name,
        cpuSeconds.toFixed(1),
        bytes(peakRssBytes),
        number(restarts),
      ]),
    ),
    ...gateLines(report.gates),
  ];
  for (const line of lines) context.print(line);
}
