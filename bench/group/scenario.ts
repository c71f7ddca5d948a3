import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startTestCluster } from '../../test/support/cluster.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { checkGates, gatesOf } from '../load/gates.ts';
import { quantile } from '../load/quantile.ts';
import { integerOf } from '../options.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { groupTimer } from './members.ts';

const JOB = fileURLToPath(new URL('./job.yaml', import.meta.url));
const GATES = ['groupToOne<=1.2'];
const FIGURES = ['groupToOne', 'secondsOfOne', 'secondsOfEight', 'secondsOfUpdate', 'secondsOfRound'];
const MEMBERS = 8;

interface Options {
  groups: string;
  wait: string;
  json?: string;
  gate: string[];
}

/** What the members of a group cost each other: their tools wait at the same time, and share one flow that was loaded once. */
export const group: Scenario = {
  name: 'group',
  summary: 'a group of 8 of a flow whose tools wait: against one trajectory alone, and the seconds of an update on a cluster',
  configure(command) {
    command
      .option('--groups <n>', 'groups of each size, and rounds on the cluster', '20')
      .option('--wait <ms>', 'how long each of the six tool calls of a trajectory waits, in milliseconds', '50')
      .option('--gate <figure>=<bound>', 'bound in place of the default one, e.g. groupToOne<=1.5; may be repeated', collect, [])
      .option('--json <file>', 'also write the result to this file');
  },
  async run(given, context) {
    const options = given as unknown as Options;
    const gates = gatesOf(GATES, options.gate, FIGURES);
    const groups = integerOf('--groups', options.groups, 1);
    const overrides = [`source.waitMs=${integerOf('--wait', options.wait, 0)}`, `rounds=${groups}`];
    const { config } = loadJobConfig(JOB, { overrides });
    const figures = { ...(await membersOf(config, groups)), ...(await updatesOf(config, context)) };
    const checked = checkGates(gates, figures);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ figures, gates: checked }, null, 2)}\n`);
    for (const [name, value] of Object.entries(figures)) context.print(`${name} ${value.toFixed(3)}`);
    for (const { figure, operator, bound, measured, kept } of checked)
      if (!kept) context.note(`gate: ${figure} is ${measured?.toFixed(3)}, and must be ${operator} ${bound}`);
    return checked.every(({ kept }) => kept) ? 0 : 1;
  },
};

/** Medians, of groups of one and of eight in turns: what else the machine does falls on both. */
async function membersOf(config: JobConfig, groups: number) {
  const timed = await groupTimer(config);
  const one: number[] = [];
  const eight: number[] = [];
  await timed(MEMBERS, 0);
  for (let i = 1; i <= groups; i += 1) {
    one.push(await timed(1, i));
    eight.push(await timed(MEMBERS, i));
  }
  const [secondsOfOne, secondsOfEight] = [quantile(one, 0.5) / 1000, quantile(eight, 0.5) / 1000];
  return { secondsOfOne, secondsOfEight, groupToOne: secondsOfEight / secondsOfOne };
}

/** Medians over the rounds of a job of one group a round: from the gradients to the commit, and all of the round. */
async function updatesOf(config: JobConfig, context: BenchContext) {
  const cluster = await startTestCluster({ learners: 1, rollouts: 1 });
  try {
    const job = await cluster.createJob(config);
    await cluster.ended(job.id, 300_000);
    const sql = `SELECT median(compute_ms + commit_ms), median(round_ms), count() FROM updates WHERE job = '${job.id}' AND trained > 0`;
    let row: unknown[] = [];
    // The store writes behind the job.
    for (let tries = 0; tries < 100 && Number(row[2] ?? 0) < config.rounds / 2; tries += 1) {
      row = (await cluster.rows(sql))[0] ?? [];
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    context.note(`${Number(row[2])} updates were measured`);
    return { secondsOfUpdate: Number(row[0]) / 1000, secondsOfRound: Number(row[1]) / 1000 };
  } finally {
    await cluster.end();
  }
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
